"""The product from outside: an HTTP client, chats made with it, and what the database holds.

Each measurement makes an application called "bench" and leaves it: the API deletes no application.
"""

import http.client
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

import dj_database_url
from django.db.utils import ConnectionHandler

from bench import BenchError
from bench.processes import wait_until
from bench.wrk import Request

API = "/api/v1"
_INDEXED_SECONDS = 600.0
_JSON = {"Content-Type": "application/json"}
_LIMIT_SECONDS = 60
_OF_CHAT = " FROM messages WHERE application_token = %s AND chat_number = %s"


class Client:
    """Sends one request after the other on a kept connection."""

    def __init__(self, base_url: str) -> None:
        place = urlsplit(base_url).netloc
        self._connection = http.client.HTTPConnection(place, timeout=_LIMIT_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def create(self, path: str, **fields: object) -> dict[str, Any]:
        """POST these fields and return the new item. Raises BenchError for any status but 201."""
        body = json.dumps(fields).encode()
        document: dict[str, Any] = json.loads(self._send(201, "POST", path, body, _JSON))
        return document

    def fetch(self, path: str) -> bytes:
        """GET; returns the answer's body. Raises BenchError unless answered 200."""
        return self._send(200, "GET", path)

    def expect(self, status: int, request: Request) -> bytes:
        """Send a request as loads send it; returns the answer's body.

        Raises BenchError for another status.
        """
        body = json.dumps(request.body).encode() if request.body else None
        name, _, value = request.header.partition(": ")
        headers = (_JSON if body else {}) | ({name: value} if name else {})
        return self._send(status, request.method, request.path, body, headers)

    def _send(self, status: int, method: str, path: str, *body_and_headers: Any) -> bytes:
        self._connection.request(method, path, *body_and_headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != status:
            raise BenchError(f"{path} was answered {answer.status}: {content[:300]!r}")
        return content


class Database:
    """A connection to MariaDB or SQLite. Each statement is a transaction of its own."""

    def __init__(self, url: str) -> None:
        self._connection = ConnectionHandler({"default": dict(dj_database_url.parse(url))})[
            "default"
        ]

    def execute(self, statement: str, *parameters: Any) -> Sequence[Sequence[Any]]:
        """Rows that the statement returns, if any."""
        with self._connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else ()

    def number(self, statement: str, *parameters: Any) -> int:
        """The one number that the statement returns."""
        return int(self.execute(statement, *parameters)[0][0])


@dataclass(frozen=True)
class Chat:
    """A chat by its natural key; `key` is that of its application."""

    token: str
    number: int
    key: str = ""

    @property
    def path(self) -> str:
        """Address of the chat."""
        return f"{API}/applications/{self.token}/chats/{self.number}"

    @property
    def messages_path(self) -> str:
        """Address of its messages."""
        return f"{self.path}/messages"

    def count(self, database: Database) -> int:
        """Rows stored of the chat."""
        return database.number(f"SELECT COUNT(*){_OF_CHAT}", self.token, self.number)

    def highest(self, database: Database) -> int:
        """Highest number stored, 0 in an empty chat; one look at an index, however many rows."""
        return database.number(
            f"SELECT COALESCE(MAX(message_number), 0){_OF_CHAT}", self.token, self.number
        )

    def has_every_number_once(self, database: Database) -> bool:
        """Whether the stored numbers are 1 to the highest, each exactly once."""
        [(rows, distinct, lowest, highest)] = database.execute(
            "SELECT COUNT(*), COUNT(DISTINCT message_number), COALESCE(MIN(message_number), 0),"
            f" COALESCE(MAX(message_number), 0){_OF_CHAT}",
            self.token,
            self.number,
        )
        return bool(rows == distinct == highest and lowest == min(1, rows))

    def bodies(self, database: Database) -> dict[int, str]:
        """Stored bodies by number."""
        statement = f"SELECT message_number, body{_OF_CHAT}"
        return {row[0]: row[1] for row in database.execute(statement, self.token, self.number)}

    def raise_ceiling(self, database: Database, number: int) -> None:
        """Let the chat's next number be above this one; for rows whose numbers were made up."""
        database.execute(
            "UPDATE chats SET number_ceiling = GREATEST(number_ceiling, %s)"
            " WHERE application_token = %s AND chat_number = %s",
            number,
            self.token,
            self.number,
        )


def new_chat(base_url: str) -> Chat:
    """Make an empty chat of an application of its own."""
    with Client(base_url) as client:
        application = client.create(f"{API}/applications", name="bench")
        path = f"{API}/applications/{application['token']}/chats"
        chat = client.create(path, name="bench")
    return Chat(str(application["token"]), int(chat["chat_number"]), str(application["key"]))


def backlog(database: Database) -> int:
    """Entries of stored and edited messages that are not indexed yet."""
    return database.number("SELECT COUNT(*) FROM index_backlog")


def count_chats(database: Database, token: str) -> int:
    """Chats of the application that are stored."""
    return database.number("SELECT COUNT(*) FROM chats WHERE application_token = %s", token)


def await_complete(database: Database, chat: Chat, within: float = 120.0) -> None:
    """Return when numbers 1 to N are stored, each once. Raises BenchError after `within` seconds.

    A request whose answer wrk did not wait for may have its number and still be queued.
    """
    what = f"chat {chat.token}/{chat.number} holds numbers 1 to N, each once"
    wait_until(lambda: chat.has_every_number_once(database), within, what, every=1)


def await_indexed(database: Database) -> None:
    """Return when all stored messages are indexed. Raises BenchError after ten minutes."""
    wait_until(lambda: not backlog(database), _INDEXED_SECONDS, "all is indexed")
