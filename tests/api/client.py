"""An API client for tests: its methods take and return plain values."""

import json
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpResponse
from django.test import Client

JSON = "application/json"


@dataclass
class Api:
    """One client; `base` is prefixed to paths that do not begin with a scheme."""

    base: str = "/api/v1"
    client: Client = field(default_factory=lambda: Client(raise_request_exception=False))

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(self._address(path), query)

    def post(self, path: str, body: Any = None, **headers: Any) -> Any:
        return self._send("POST", path, body, headers)

    def put(self, path: str, body: Any = None, **headers: Any) -> Any:
        return self._send("PUT", path, body, headers)

    def patch(self, path: str, body: Any = None, **headers: Any) -> Any:
        return self._send("PATCH", path, body, headers)

    def delete(self, path: str, **headers: Any) -> Any:
        return self.client.delete(self._address(path), headers=headers)

    def _send(self, method: str, path: str, body: Any, headers: dict[str, str]) -> HttpResponse:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        content_type = headers.pop("content_type", JSON)
        return self.client.generic(  # type: ignore[return-value] # a test client's answer is one
            method, self._address(path), data, content_type, headers=headers
        )

    def _address(self, path: str) -> str:
        return path.removeprefix("http://testserver") if "://" in path else f"{self.base}{path}"

    def new_application(self, name: str = "an application") -> str:
        """The path of a new application."""
        return f"/applications/{self.post('/applications', {'name': name}).json()['token']}"

    def new_chat(self, application: str | None = None, name: str = "a chat") -> str:
        """The path of a new chat."""
        application = application or self.new_application()
        number = self.post(f"{application}/chats", {"name": name}).json()["chat_number"]
        return f"{application}/chats/{number}"

    def say(self, chat: str, *bodies: str) -> list[int]:
        """The numbers of new messages."""
        return [
            self.post(f"{chat}/messages", {"body": body}).json()["message_number"]
            for body in bodies
        ]
