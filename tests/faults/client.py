"""One HTTP client of the stack: a connection of its own, one request after the other."""

import json
import os
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

ANSWER_SECONDS = 30
EMPTY: Mapping[str, str] = {}


class Chat(NamedTuple):
    """A chat's natural key."""

    token: str
    number: int

    @property
    def messages(self) -> str:
        """The path of its messages."""
        return f"/applications/{self.token}/chats/{self.number}/messages"


class Answer(NamedTuple):
    """Status 0 says that none came."""

    status: int
    document: Any = None
    retry_after: str | None = None


class Client:
    """The connection is kept, and made anew after it has failed. Nothing is sent twice."""

    def __init__(self) -> None:
        address = urlsplit(os.environ["BASE_URL"])
        self._http = HTTPConnection(address.netloc, timeout=ANSWER_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._http.close()

    def send(
        self, method: str, path: str, document: Any = None, headers: Mapping[str, str] = EMPTY
    ) -> Answer:
        """The answer, whatever it is."""
        if document is not None:
            headers = {"Content-Type": "application/json", **headers}
        body = json.dumps(document).encode() if document is not None else None
        try:
            self._http.request(method, f"/api/v1{path}", body, headers)
            answer = self._http.getresponse()
            content = json.loads(answer.read())
        except (OSError, HTTPException):
            self._http.close()
            return Answer(0)
        return Answer(answer.status, content, answer.getheader("Retry-After"))

    def get(self, path: str) -> Any:
        """What is shown there."""
        answer = self.send("GET", path)
        assert answer.status == 200, answer
        return answer.document

    def create(self, path: str, **values: str) -> Any:
        """What was created."""
        answer = self.send("POST", path, values)
        assert answer.status == 201, answer
        return answer.document

    def new_chats(self, how_many: int) -> list[Chat]:
        """Chats of one new application."""
        token = self.create("/applications", name="a fault")["token"]
        names = [f"chat {number}" for number in range(how_many)]
        made = [self.create(f"/applications/{token}/chats", name=name) for name in names]
        return [Chat(token, chat["chat_number"]) for chat in made]
