"""An HTTP client with its own connection; it sends one request at a time."""

import json
import os
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

from chaos.errors import ChaosError
from chaos.parent import Parent

#: A request may wait for its number and for the database in turn.
ANSWER_SECONDS = 30
EMPTY: Mapping[str, str] = {}


class Answer(NamedTuple):
    """A response. Status 0 means that there was none.

    `is_closed`: a reused connection closed before the first byte of a response. The server may have
    closed it while the request was in flight.
    """

    status: int
    document: Any = None
    headers: Mapping[str, str] = EMPTY
    is_closed: bool = False

    @property
    def retry_after(self) -> str | None:
        """The Retry-After header."""
        return self.headers.get("retry-after")


class Client:
    """Keeps its connection and reopens it after a failure. Never resends a request.

    It asks the server at this host and port, or the one that BASE_URL names.
    """

    def __init__(
        self, answer_seconds: float = ANSWER_SECONDS, address: tuple[str, int] | None = None
    ) -> None:
        netloc = urlsplit(os.environ["BASE_URL"]).netloc
        host, port = address or (netloc, None)
        self._http = HTTPConnection(host, port, timeout=answer_seconds)
        self._has_served = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def send(
        self, method: str, path: str, document: Any = None, headers: Mapping[str, str] = EMPTY
    ) -> Answer:
        """The response, whatever its status; `path` is relative to the API's base path."""
        if document is not None:
            headers = {"Content-Type": "application/json", **headers}
        body = json.dumps(document).encode() if document is not None else None
        try:
            self._http.request(method, f"/api/v1{path}", body, headers)
            answer = self._http.getresponse()
        except (OSError, HTTPException) as error:
            self._http.close()
            # A ConnectionError means that the connection was closed; a timeout does not.
            is_closed = self._has_served and isinstance(error, ConnectionError)
            self._has_served = False
            return Answer(0, is_closed=is_closed)
        try:
            content = json.loads(answer.read())
        except (OSError, HTTPException, ValueError):
            self._http.close()
            self._has_served = False
            return Answer(0)
        self._has_served = not answer.will_close
        names = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, content, names)

    def get(self, path: str) -> Any:
        """The document at `path`. Raises ChaosError for any status but 200."""
        answer = self.send("GET", path)
        if answer.status != 200:
            raise ChaosError(f"GET {path} was answered {answer.status}: {answer.document}")
        return answer.document

    def create(self, path: str, **values: str) -> Any:
        """The created resource. Raises ChaosError for any status but 201."""
        answer = self.send("POST", path, values)
        if answer.status != 201:
            raise ChaosError(f"POST {path} was answered {answer.status}: {answer.document}")
        return answer.document

    def new_application(self) -> Parent:
        """A new application without chats."""
        return Parent(self.create("/applications", name="a fault")["token"])

    def new_chats(self, how_many: int) -> list[Parent]:
        """New chats in one new application."""
        application = self.new_application()
        names = [f"chat {number}" for number in range(how_many)]
        made = [self.create(application.children, name=name) for name in names]
        return [application.child(chat["chat_number"]) for chat in made]
