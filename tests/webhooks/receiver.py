"""Real receivers of webhooks: HTTP servers that keep what they get and answer as they are told."""

import json
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any

from standardwebhooks import Webhook as Verifier


@dataclass(frozen=True)
class Received:
    """A request as it arrived."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def content(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def message(self) -> str:
        """Its id."""
        return self.headers["webhook-id"]

    @property
    def ids(self) -> list[str]:
        """The ids of its events."""
        return [event["id"] for event in self.content["events"]]

    def verify(self, secret: str) -> None:
        """Raises WebhookVerificationError unless the secret has signed it."""
        Verifier(secret).verify(self.body, dict(self.headers))


@dataclass(frozen=True)
class Reply:
    """What a receiver answers."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


#: Answers by other means than a reply, such as not at all.
Behaviour = Callable[[BaseHTTPRequestHandler], None]


class Receiver:
    """A server; `replies` are used up one by one, and 200 follows. `received` is all it got."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.replies: list[Reply | Behaviour] = []
        self.released = Event()
        self._lock = Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.answer(self, Received(self.path, headers, body))

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign] # clients hang up
        self.port = int(self._server.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}/hook"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def answer(self, handler: BaseHTTPRequestHandler, received: Received) -> None:
        """Keep the request and answer it."""
        with self._lock:
            self.received.append(received)
            reply = self.replies.pop(0) if self.replies else Reply()
        if not isinstance(reply, Reply):
            reply(handler)
            return
        with suppress(OSError):
            handler.send_response(reply.status)
            for name, value in reply.headers.items():
                handler.send_header(name, value)
            handler.send_header("Content-Length", str(len(reply.body)))
            handler.end_headers()
            handler.wfile.write(reply.body)

    def hang(self, _: BaseHTTPRequestHandler) -> None:
        """Answer nothing until the end of the test."""
        self.released.wait(60)

    def use_tls(self, context: ssl.SSLContext) -> None:
        """Speak TLS from now on; the handshake is left to the thread of the connection."""
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )

    def close(self) -> None:
        """End the server, once."""
        if self.released.is_set():
            return
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def ids(self) -> list[str]:
        """The ids of all events, in the order of their arrival."""
        return [one for received in self.received for one in received.ids]


def reset(handler: BaseHTTPRequestHandler) -> None:
    """Cut the connection instead of an answer."""
    linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    handler.connection.close()


def once_each(ids: Sequence[str]) -> list[str]:
    """The ids without repeats, in the order of their first arrival."""
    return list(dict.fromkeys(ids))


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A receiver for the block."""
    running = Receiver()
    try:
        yield running
    finally:
        running.close()
