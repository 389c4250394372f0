"""SIGINT and SIGTERM as an exception, held back while something must be finished.

Outside the main thread signals do not arrive, and nothing is changed.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(KeyboardInterrupt):
    """The process was asked to end; `status` is what it should end with."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.name = signal.Signals(number).name
        self.status = 128 + number


class Interruption:
    """What has arrived, and whether it has to wait."""

    def __init__(self) -> None:
        self._is_held = False
        self._waiting: int | None = None

    def arrive(self, number: int, frame: FrameType | None) -> None:
        """Raise Interrupted, unless held for the first time: whoever asks twice is in a hurry."""
        if self._is_held and self._waiting is None:
            self._waiting = number
            return
        raise Interrupted(number)

    def give_way(self) -> None:
        """Raise what has arrived, though held: here is a good place to end."""
        if self._waiting is not None:
            raise Interrupted(self._waiting)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Finish the block first. Raises Interrupted behind it."""
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False
        self.give_way()


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Interruptions of the block."""
    interruption = Interruption()
    if current_thread() is not main_thread():
        yield interruption
        return
    before = {number: signal.signal(number, interruption.arrive) for number in SIGNALS}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
