"""One HTTP client of the stack: a connection of its own, one request after the other."""

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
    """Status 0 says that none came.

    `is_closed`: not a byte of it, on a connection that had served before, so that the server may
    have closed it while the request was on its way.
    """

    status: int
    document: Any = None
    headers: Mapping[str, str] = EMPTY
    is_closed: bool = False

    @property
    def retry_after(self) -> str | None:
        """When to come again."""
        return self.headers.get("retry-after")


class Client:
    """The connection is kept, and made anew after it has failed. Nothing is sent twice."""

    def __init__(self, answer_seconds: float = ANSWER_SECONDS) -> None:
        address = urlsplit(os.environ["BASE_URL"])
        self._http = HTTPConnection(address.netloc, timeout=answer_seconds)
        self._has_served = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def send(
        self, method: str, path: str, document: Any = None, headers: Mapping[str, str] = EMPTY
    ) -> Answer:
        """The answer, whatever it is; `path` follows the API's base path."""
        if document is not None:
            headers = {"Content-Type": "application/json", **headers}
        body = json.dumps(document).encode() if document is not None else None
        try:
            self._http.request(method, f"/api/v1{path}", body, headers)
            answer = self._http.getresponse()
        except (OSError, HTTPException) as error:
            self._http.close()
            # Of these a client may tell that the connection was closed, not that it hangs.
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
        """What is shown there. Raises ChaosError for any answer but 200."""
        answer = self.send("GET", path)
        if answer.status != 200:
            raise ChaosError(f"GET {path} was answered {answer.status}: {answer.document}")
        return answer.document

    def create(self, path: str, **values: str) -> Any:
        """What was created. Raises ChaosError for any answer but 201."""
        answer = self.send("POST", path, values)
        if answer.status != 201:
            raise ChaosError(f"POST {path} was answered {answer.status}: {answer.document}")
        return answer.document

    def new_application(self) -> Parent:
        """One without chats."""
        return Parent(self.create("/applications", name="a fault")["token"])

    def new_chats(self, how_many: int) -> list[Parent]:
        """Chats of one new application."""
        application = self.new_application()
        names = [f"chat {number}" for number in range(how_many)]
        made = [self.create(application.children, name=name) for name in names]
        return [application.child(chat["chat_number"]) for chat in made]
