"""One stream: it knows what its client has received, and sends what follows."""

import asyncio
import time
from collections.abc import Iterable
from random import uniform
from typing import TYPE_CHECKING, Literal

from api.streaming import StreamConnection
from applications.models import Application
from events.pages import Position
from events.streams.access import Access
from events.streams.frames import RESET, Frame
from events.streams.metrics import CONGESTED, ENDED, FRAMES
from infra.timeouts import (
    STREAM_HEARTBEAT_SECONDS,
    STREAM_LONGEST_SECONDS,
    STREAM_RETRY_SECONDS,
    STREAM_SHORTEST_SECONDS,
    STREAM_STALLED_SECONDS,
)

if TYPE_CHECKING:
    from events.streams.hub import Hub
    from events.streams.topic import Topic

#: Why a stream ended.
End = Literal["closed", "time", "stalled", "access"]

_HEARTBEAT = b":\n\n"


class EventStream:
    """The events of an application, or of one chat, behind a place in the log."""

    __slots__ = (
        "_beats_at", "_connection", "_end", "_ends_at", "_hub", "_turn",
        "access", "address", "chat_number", "latest", "position", "token",
    )  # fmt: skip

    def __init__(
        self,
        hub: "Hub",
        application: Application,
        chat_number: int | None,
        position: Position | None,
        access: Access,
        address: str,
    ) -> None:
        self.token = application.token
        self.chat_number = chat_number
        #: The end of the log when the request read it.
        self.latest = Position(application.last_event)
        self.position = position or self.latest
        self.access = access
        self.address = address
        self._hub = hub
        self._connection: StreamConnection | None = None
        self._end: End | None = None
        self._turn: asyncio.Future[None] | None = None
        now = time.monotonic()
        self._beats_at = now + STREAM_HEARTBEAT_SECONDS
        self._ends_at = now + uniform(STREAM_SHORTEST_SECONDS, STREAM_LONGEST_SECONDS)  # noqa: S311

    async def serve(self, connection: StreamConnection) -> None:
        """Send all events as they come, until one side ends the stream."""
        self._connection = connection
        connection.write(self._opening())
        topic = self._hub.join(self)
        try:
            while self._end is None:
                await self._send_next(topic)
        finally:
            self._hub.leave(self)
            ENDED.labels(self._end or "closed").inc()

    def end(self, reason: End = "closed") -> None:
        """End the stream soon; the first reason counts."""
        self._end = self._end or reason
        self._resume()

    def resume(self, position: Position) -> None:
        """Go on behind this place: the events before it are sent, or are not of this chat."""
        self._advance(position)
        self._resume()

    def check(self, now: float) -> None:
        """End the stream if its time is over; else keep the connection alive."""
        if self.access.is_expired:
            self.end("access")
        elif now >= self._ends_at:
            self.end("time")
        elif now >= self._beats_at and self._connection and not self._connection.is_congested:
            self._beats_at = now + STREAM_HEARTBEAT_SECONDS
            self._connection.write(_HEARTBEAT)

    def _opening(self) -> bytes:
        """The pause before a reconnect, and the place at which the stream begins.

        A client that is cut before the first event resumes there. A frame without data is no event.
        """
        milliseconds = int(1000 * uniform(STREAM_RETRY_SECONDS / 2, STREAM_RETRY_SECONDS * 1.5))  # noqa: S311
        return f"retry: {milliseconds}\nid: {self.position}\n\n".encode()

    async def _send_next(self, topic: "Topic") -> None:
        """Send what follows; wait if there is nothing."""
        if self.position.order < topic.floor.order:
            reading = await self._hub.read_for(self)
            if reading is None:
                return
            frames, reached = reading.frames, reading.reached
        else:
            frames, reached = topic.frames_after(self.position), topic.position
        await self._send(frame for frame in frames if self._wants(frame))
        self._advance(reached)
        if self.position.order >= topic.position.order and self._end is None:
            self._turn = asyncio.get_running_loop().create_future()
            topic.wait(self)
            await self._turn

    def _advance(self, position: Position) -> None:
        # A stream may begin behind the place that the process has read up to.
        if position.order > self.position.order:
            self.position = position

    def _wants(self, frame: Frame) -> bool:
        is_of_chat = self.chat_number in (None, frame.chat_number)
        return is_of_chat or frame.type == RESET

    async def _send(self, frames: Iterable[Frame]) -> None:
        assert self._connection is not None  # noqa: S101 - set by serve
        for frame in frames:
            if self._end is not None:
                return
            self._connection.write(frame.data)
            self.position = frame.position
            FRAMES.inc()
            if self._connection.is_congested:
                await self._drain(self._connection)

    async def _drain(self, connection: StreamConnection) -> None:
        """Wait until the client has read what was written. Drop a client that reads nothing."""
        with CONGESTED.track_inprogress():
            try:
                async with asyncio.timeout(STREAM_STALLED_SECONDS):
                    await connection.drain()
            except TimeoutError:
                self.end("stalled")

    def _resume(self) -> None:
        turn, self._turn = self._turn, None
        if turn is not None and not turn.done():
            turn.set_result(None)
