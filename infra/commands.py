"""What commands write: lines for people in which nothing acts on their terminal, and JSON.

Names, reasons and file names are whatever clients and files say. An escape sequence in one of them
would colour a terminal, move its cursor or answer in the operator's name; a line break would forge
a line. So each write is one line, and what does not show is written as an escape.

SIGINT and SIGTERM as an exception, held back while something must be finished.

Outside the main thread signals do not arrive, and nothing is changed.
"""

import json
import signal
import sys
from argparse import ArgumentTypeError
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from traceback import format_exception
from types import FrameType, TracebackType
from typing import Any

from django.core.management.base import BaseCommand, OutputWrapper

from infra.text import visible


class Lines(OutputWrapper):
    """A stream that takes one line with each write."""

    def write(  # type: ignore[override] # as Django's own
        self, msg: str = "", style_func: Any = None, ending: str | None = None
    ) -> None:
        """Write it. Text that comes with a style was made for a terminal and passes as it is.

        Such are the results of Django's system checks.
        """
        super().write(msg if style_func else visible(msg), style_func, ending)


class LineCommand(BaseCommand):
    """The base of all commands of this service."""

    def execute(self, *args: Any, **options: Any) -> Any:
        """Run the command with streams that take lines."""
        self.stdout = Lines(options.pop("stdout", None) or sys.stdout)
        self.stderr = Lines(options.pop("stderr", None) or sys.stderr)
        self.stderr.style_func = self.style.ERROR
        return super().execute(*args, **options)

    def print_json(self, value: object) -> None:
        """One line of JSON, in ASCII."""
        # The one control character that JSON leaves as it is.
        self.stdout.write(json.dumps(value).replace("\x7f", "\\u007f"))


def utf8(argument: str) -> str:
    """An argument that a database can be asked for. Raises ArgumentTypeError."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        raise ArgumentTypeError(f"{argument!a} is not UTF-8") from None
    return argument


def print_exception(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """The traceback of an error that nobody foresaw, which may quote anything: a sys.excepthook."""
    del kind
    for line in "".join(format_exception(error.with_traceback(trace))).strip().split("\n"):
        sys.stderr.write(f"{visible(line)}\n")


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
