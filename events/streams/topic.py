"""A topic: the newest events of one application, read once for all of its streams."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Protocol

from events.pages import Position
from events.streams.frames import ERASED, RESET, Frame, Reading

#: Frames that are kept for streams which did not wait when these came.
MAX_RECENT_FRAMES = 1000
MAX_RECENT_BYTES = 1024 * 1024


class Waiting(Protocol):
    """A stream that has sent all frames and waits for more."""

    chat_number: int | None

    def resume(self, position: Position) -> None:
        """Go on behind this place: nothing before it is missing."""


class Topic:
    """The place up to which the log was read, and the frames from `floor` to there."""

    def __init__(self, position: Position) -> None:
        self.position = self.floor = position
        self._recent: list[Frame] = []
        self._recent_bytes = 0
        self._is_quiet = False
        #: By the chat of their streams, None for those of the whole application.
        self._waiting: defaultdict[int | None, dict[Waiting, None]] = defaultdict(dict)

    def extend(self, reading: Reading) -> None:
        """Add the frames that follow `position`, and resume the streams that wait for them."""
        before = self.position
        # A kept frame may have the text of a message that is erased now.
        if any(frame.type == ERASED for frame in reading.frames):
            self._forget()
        self._recent += reading.frames
        self._recent_bytes += sum(len(frame.data) for frame in reading.frames)
        self.position = reading.reached
        self._is_quiet = False
        self._trim()
        for waiting in self._concerned(reading.frames):
            waiting.resume(before)

    def frames_after(self, position: Position) -> Sequence[Frame]:
        """The frames behind a place that is not before `floor`."""
        order = position.order
        return self._recent[bisect_right(self._recent, order, key=lambda one: one.position.order) :]

    def wait(self, stream: Waiting) -> None:
        """Resume this stream when there is something for it."""
        self._waiting[stream.chat_number][stream] = None

    def leave(self, stream: Waiting) -> None:
        """Forget a stream that may be waiting."""
        waiting = self._waiting.get(stream.chat_number)
        if waiting is not None:
            waiting.pop(stream, None)
            if not waiting:
                del self._waiting[stream.chat_number]

    def forget_if_quiet(self) -> None:
        """Forget the frames if nothing has come since the last call."""
        if self._is_quiet:
            self._forget()
        self._is_quiet = True

    def _forget(self) -> None:
        self._recent = []
        self._recent_bytes = 0
        self.floor = self.position

    def _trim(self) -> None:
        extra, size = max(len(self._recent) - MAX_RECENT_FRAMES, 0), self._recent_bytes
        size -= sum(len(frame.data) for frame in self._recent[:extra])
        while size > MAX_RECENT_BYTES:
            size -= len(self._recent[extra].data)
            extra += 1
        if extra:
            self.floor = self._recent[extra - 1].position
            self._recent, self._recent_bytes = self._recent[extra:], size

    def _concerned(self, frames: Iterable[Frame]) -> list[Waiting]:
        """The waiting streams that get one of these frames; they do not wait any more."""
        chats = {frame.chat_number for frame in frames} | {None}
        if any(frame.type == RESET for frame in frames):
            chats = set(self._waiting)
        return [stream for chat in chats for stream in self._waiting.pop(chat, ())]
