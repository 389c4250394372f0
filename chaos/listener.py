"""A client of a stream of events, as a good one behaves: it resumes where it was cut."""

import json
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse
from socket import SHUT_RDWR, socket
from threading import Thread
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

#: Longer than the pause between two heartbeats.
_SILENCE_SECONDS = 40
_PAUSE_SECONDS = 0.1


@dataclass(frozen=True)
class Received:
    """An event as it arrived, and when."""

    id: str
    type: str
    data: Any
    at: float


class StreamRefused(Exception):
    """The server did not answer with a stream."""

    def __init__(self, status: int, document: Any) -> None:
        super().__init__(f"{status}: {document}")
        self.status = status
        self.document = document


class Listener:
    """Follows one stream in a thread until it is stopped; `received` has all events in order.

    It begins behind `after`, or now. `cut` breaks the connection, as a network does. With
    `keeps_ids_only`, nothing is in `received`: a soak has millions of events.
    """

    def __init__(
        self,
        url: str,
        path: str,
        *,
        after: str | None = None,
        key: str = "",
        keeps_ids_only: bool = False,
        **query: str,
    ) -> None:
        self.received: list[Received] = []
        self._ids: dict[str, None] = {}
        self._keeps_ids_only = keeps_ids_only
        self.last_id = after
        self.connects = 0
        self.refused: StreamRefused | None = None
        self._url, self._path, self._query, self._key = url, path, query, key
        self._is_stopped = False
        self._socket: socket | None = None
        self._thread = Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def ids(self) -> list[str]:
        """The ids of all events in the order of their arrival, without repeats."""
        return list(self._ids)

    @property
    def heard(self) -> int:
        """The number of events, without repeats."""
        return len(self._ids)

    @property
    def is_open(self) -> bool:
        """Whether the stream has begun: the server has told its place."""
        return self.connects > 0

    def start(self) -> None:
        """Begin to follow the stream."""
        self._thread.start()

    def cut(self) -> None:
        """Break the connection."""
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(SHUT_RDWR)

    def stop(self) -> None:
        """Stop following."""
        self._is_stopped = True
        self.cut()
        self._thread.join(_SILENCE_SECONDS)

    def _follow(self) -> None:
        while not self._is_stopped:
            with suppress(OSError, HTTPException):
                for one in self._connect():
                    self._ids[one.id] = None
                    if not self._keeps_ids_only:
                        self.received.append(one)
            time.sleep(_PAUSE_SECONDS)

    def _connect(self) -> Iterator[Received]:
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        if self.last_id is not None:
            headers["Last-Event-ID"] = self.last_id
        query = f"?{urlencode(self._query)}" if self._query else ""
        connection = HTTPConnection(urlsplit(self._url).netloc, timeout=_SILENCE_SECONDS)
        with closing(connection):
            connection.request("GET", f"/api/v1{self._path}{query}", headers=headers)
            # The connection forgets its socket when it hands out a response without an end.
            self._socket = connection.sock
            with connection.getresponse() as response:
                is_ours = response.headers.get_content_type() != "text/html"
                if response.status == HTTPStatus.OK:
                    yield from self._events(response)
                elif is_ours:  # HAProxy answers by itself while no web server is well
                    self.refused = StreamRefused(response.status, json.loads(response.read()))

    def _events(self, response: HTTPResponse) -> Iterator[Received]:
        """The events of a connection; a comment or an id alone is none."""
        fields: dict[str, str] = {}
        while line := response.readline():
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name and not line.startswith(b":"):
                fields[name] = value
                continue
            if "id" in fields:
                self.last_id = fields["id"]
            if "retry" in fields:
                self.connects += 1
            if "data" in fields:
                data = json.loads(fields["data"])
                yield Received(fields["id"], fields.get("event", ""), data, time.time())
            fields = {}


def log_ids(http: Any, application: str, after: str = "0") -> list[str]:
    """The ids of the log behind this one, read page by page; `http` is a chaos.client.Client."""
    ids: list[str] = []
    while True:
        page = http.get(f"{application}/events?after={after}&limit=200")
        ids += [entry["id"] for entry in page["results"]]
        if page["next"] is None:
            return ids
        after = ids[-1]
