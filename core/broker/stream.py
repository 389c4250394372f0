"""Messages that the broker sends ahead, without being asked for each of them.

To ask costs the broker a round of its log, on disk, for each message; what is sent ahead costs
that once for many.
"""

import time
from collections import deque
from typing import Any


class Stream:
    """Of one queue, at most so many messages that are not acknowledged, until it is stopped."""

    def __init__(self, channel: Any, queue: str, most: int) -> None:
        self._channel = channel
        self._arrived: deque[Any] = deque()
        channel.basic_qos(0, most, False)
        self._tag: str | None = channel.basic_consume(queue, callback=self._arrived.append)

    def next(self, until: float) -> Any:
        """The next message; None where none comes until then, nor is left of a stopped stream."""
        if time.monotonic() >= until:
            self.stop()
        while not self._arrived and self._tag is not None:
            try:
                self._channel.connection.drain_events(timeout=max(until - time.monotonic(), 0.001))
            except TimeoutError:
                self.stop()
        return self._arrived.popleft() if self._arrived else None

    def stop(self) -> None:
        """Let no more be sent; what was sent by now has arrived, and is still to be taken."""
        if self._tag is not None:
            self._channel.basic_cancel(self._tag)
            self._tag = None
