"""Receivers of webhooks during a case: they fail at random, and must still end up with the log."""

import json
import os
import socket
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from threading import Event, Thread
from typing import Any, Self
from urllib.parse import urlsplit

from standardwebhooks import Webhook, WebhookVerificationError

from chaos.client import Client
from chaos.errors import ChaosError
from chaos.evidence import Sort, Stored, Violation
from chaos.listening import (
    Listeners,
    expected_ids,
    heard_otherwise,
    log_differs,
    read_log,
)
from chaos.parent import Parent
from chaos.waiting import until

#: A receiver answers otherwise in one of these ways, each with this probability.
_FAILURES = ("500", "503", "slow", "hang", "reset", "redirect", "gone")
_FAILURE_PROBABILITY = 0.02
_SLOW_SECONDS = 2.0
#: Longer than a delivery may take.
_HANG_SECONDS = 20.0
_LOOK_SECONDS = 1.0
#: A webhook that fails twice pauses for half a minute.
_HEARD_WITHIN_SECONDS = 120.0


@dataclass
class Receiver:
    """One endpoint: what it has received, and the webhook that sends to it."""

    application: Parent
    random: Random
    ids: dict[str, None] = field(default_factory=dict)
    forged: int = 0
    is_reliable: bool = False
    secret: str = ""
    path: str = ""

    def take(self, headers: dict[str, str], body: bytes) -> str:
        """The way to answer; the events count unless they are to be sent again anyway."""
        try:
            Webhook(self.secret).verify(body, headers)
        except WebhookVerificationError:
            self.forged += 1
            return "500"
        failure = "" if self.is_reliable else self._failure()
        # An endpoint that uses the events and then fails gets them again.
        if failure in {"", "slow", "hang", "reset"}:
            self.ids |= {event["id"]: None for event in json.loads(body)["events"]}
        return failure

    def _failure(self) -> str:
        at = self.random.random() / _FAILURE_PROBABILITY
        return _FAILURES[int(at)] if at < len(_FAILURES) else ""


class _Handler(BaseHTTPRequestHandler):
    """Answers as its receiver says; its path is the receiver's number."""

    receivers: Sequence[Receiver] = ()

    def do_POST(self) -> None:
        """Take a delivery."""
        body = self.rfile.read(int(self.headers["content-length"]))
        receiver = self.receivers[int(self.path.strip("/"))]
        match receiver.take(dict(self.headers), body):
            case "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1" + b"\0" * 7)
                self.connection.close()
            case "hang":
                time.sleep(_HANG_SECONDS)
            case "slow":
                time.sleep(_SLOW_SECONDS)
                self._answer(204)
            case "redirect":
                self._answer(307, Location="http://169.254.169.254/")
            case "gone":
                self._answer(410)
            case "503":
                self._answer(503, **{"Retry-After": "1"})
            case "500":
                self._answer(500)
            case _:
                self._answer(204)

    def _answer(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def _own_address() -> str:
    """This machine's address as the stack sees it; nothing is sent."""
    address = urlsplit(os.environ["BASE_URL"])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((address.hostname or "", address.port or 80))
        return str(probe.getsockname()[0])


class Receivers:
    """Some for one application; a webhook that was disabled by a 410 is switched on again."""

    def __init__(self, application: Parent, count: int) -> None:
        random = Random()
        self.receivers = [Receiver(application, random) for _ in range(count)]
        handler = type("Handler", (_Handler,), {"receivers": self.receivers})
        self._server = ThreadingHTTPServer((_own_address(), 0), handler)
        self._server.daemon_threads = True
        self._end = Event()
        self._threads = [
            Thread(target=self._server.serve_forever, daemon=True),
            Thread(target=self._switch_on_again, daemon=True),
        ]

    def __enter__(self) -> Self:
        with Client() as http:
            for number, receiver in enumerate(self.receivers):
                path = f"/applications/{receiver.application.token}/webhooks"
                host, port = self._server.server_address[:2]
                url = f"http://{host!s}:{port}/{number}"
                made = http.create(path, url=url, after="0")
                receiver.secret, receiver.path = made["secret"], f"{path}/{made['id']}"
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        with Client() as http:
            for receiver in self.receivers:
                with suppress(ChaosError):
                    http.send("DELETE", receiver.path)
        self._server.shutdown()
        self._server.server_close()

    def violations(self) -> list[Violation]:
        """What a receiver missed, or got out of order or forged. Call it when all is stored."""
        found: list[Violation] = []
        for receiver in self.receivers:
            receiver.is_reliable = True
        for receiver in self.receivers:
            application = receiver.application
            expected = expected_ids(read_log(application.token), application)
            # If it does not get everything, the comparison says what is missing.
            with suppress(ChaosError):
                until(
                    lambda: len(receiver.ids) >= len(expected),  # noqa: B023 - called at once
                    "a receiver has everything",
                    _HEARD_WITHIN_SECONDS,
                )
            found += heard_otherwise(application, expected, list(receiver.ids))
            if receiver.forged:
                found.append(Violation(Sort.INVENTED, f"{receiver.forged} forged deliveries"))
        return found

    def _switch_on_again(self) -> None:
        with Client() as http:
            while not self._end.wait(_LOOK_SECONDS):
                for receiver in self.receivers:
                    _go_on(http, receiver)


def _go_on(http: Client, receiver: Receiver) -> None:
    """Switch on a webhook that has stopped; end the pause of one whose endpoint is well again."""
    shown = http.send("GET", receiver.path).document
    if not isinstance(shown, dict) or "state" not in shown:
        return  # the API is down at the moment
    if shown["state"] == "disabled" or (receiver.is_reliable and shown["state"] == "failing"):
        http.send("PATCH", receiver.path, {"is_active": True})


class Audience:
    """All who hear of a load: listeners of all its chats, receivers of its first application."""

    def __init__(
        self,
        chats: Sequence[Parent],
        *,
        of_each_application: int = 4,
        of_each_chat: int = 2,
        receivers: int = 3,
    ) -> None:
        self._listeners = Listeners(chats, of_each_application, of_each_chat)
        self._receivers = Receivers(Parent(min(chats).token), receivers)

    def __enter__(self) -> Self:
        with ExitStack() as begun:
            begun.enter_context(self._receivers)
            begun.enter_context(self._listeners)
            self._ends = begun.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()

    @property
    def resumed(self) -> int:
        """How often a stream was opened again."""
        return self._listeners.resumed

    def violations(self, texts: Stored) -> list[Violation]:
        """How the audience and the log differ, and the log and the stored rows."""
        heard = [*self._listeners.violations(), *self._receivers.violations()]
        return [*heard, *log_differs(texts)]
