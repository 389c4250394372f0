"""Responses that go on: the head at once, and the body in pieces until one side ends it.

A view checks the request and returns a StreamResponse; its `stream` then writes to the connection
on the event loop. The body ends with the connection, which works with HTTP/1.0 and 1.1 alike.
"""

from typing import Protocol

from django.http import HttpResponse


class StreamConnection(Protocol):
    """The connection of a response that goes on. Everything runs on its event loop."""

    def write(self, data: bytes) -> None:
        """Send the bytes, or buffer them; nothing if the connection is closed."""

    @property
    def is_congested(self) -> bool:
        """Whether the client takes the bytes more slowly than they are written."""

    async def drain(self) -> None:
        """Return when the buffer has room again, or the connection is closed."""


class Stream(Protocol):
    """The body of a response that goes on."""

    async def serve(self, connection: StreamConnection) -> None:
        """Write the body; the connection is closed on return."""

    def end(self) -> None:
        """Let `serve` return soon: the client is gone, or the process is ending."""


class StreamResponse(HttpResponse):
    """A response whose body is the `stream`."""

    def __init__(self, stream: Stream, content_type: str) -> None:
        super().__init__(content_type=content_type)
        self.stream = stream
        # Proxies would collect the body before they pass it on (the header is nginx's).
        self["X-Accel-Buffering"] = "no"
