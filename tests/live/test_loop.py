"""The event loop of a server: what waits there holds up nobody, and takes no thread."""

import asyncio
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined] # granian says it with "as"

from chatsystem.event_loop import Server
from core.deadlines import Deadlines
from tests.live.raw import exchange, raw
from tests.live.servers import EmbeddedServer, migrated_database

JSON = "Content-Type: application/json"
CLIENTS = 200


@pytest.fixture(scope="module")
def one_thread(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("loop")
    database = migrated_database(tmp_path_factory.mktemp("migrated"))
    with EmbeddedServer(folder, database, WEB_THREADS="1") as server:
        yield server.url


@pytest.fixture
def messages(one_thread: str) -> str:
    """Where to post to a new chat."""
    application = httpx.post(f"{one_thread}/api/v1/applications", json={"name": "x"})
    chat = httpx.post(f"{application.headers['Location']}/chats", json={"name": "y"})
    return f"{chat.headers['Location']}/messages"


def test_bodies_that_come_slowly_hold_up_nobody(one_thread: str, messages: str) -> None:
    place, path = urlsplit(one_thread), urlsplit(messages).path.encode()
    with ExitStack() as slow:
        for _ in range(CLIENTS):
            client = slow.enter_context(socket.create_connection((place.hostname, place.port)))
            client.sendall(raw("POST", path, JSON, "Content-Length: 100", body=b'{"bo'))

        assert httpx.post(messages, json={"body": "quick"}).status_code == 201
        assert len(httpx.get(messages).json()["results"]) == 1


def test_many_clients_at_once_are_all_numbered_by_a_server_of_one_thread(messages: str) -> None:
    def create(number: int) -> int:
        made = httpx.post(messages, json={"body": str(number)}, timeout=30)
        assert made.status_code == 201, made.text
        return int(made.json()["message_number"])

    with ThreadPoolExecutor(50) as clients:
        numbers = list(clients.map(create, range(CLIENTS)))

    assert sorted(numbers) == list(range(1, CLIENTS + 1))


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (b"Idempotency-Key: \xff\xfe", 400),
        (b"Idempotency-Key: caf\xc3\xa9", 400),
        (b"Idempotency_Key: caf\xc3\xa9", 201),
    ],
)
def test_a_header_that_cannot_be_read_is_not_taken_for_none(
    messages: str, header: bytes, status: int
) -> None:
    path, body = urlsplit(messages).path.encode(), b'{"body": "x"}'

    answer = exchange(
        messages, raw("POST", path, JSON, header, f"Content-Length: {len(body)}", body=body)
    )

    assert answer.status == status


def test_a_tag_that_cannot_be_read_matches_nothing(messages: str) -> None:
    assert httpx.post(messages, json={"body": "x"}).status_code == 201
    path, body = urlsplit(messages).path.encode() + b"/1", b'{"body": "y"}'
    length = f"Content-Length: {len(body)}"

    answer = exchange(messages, raw("PUT", path, JSON, length, b"If-Match: \xff", body=body))

    assert answer.status == 412


class NeverSends:
    """A client whose body does not come; its connection ends when it is answered."""

    def __init__(self) -> None:
        self.answers: list[tuple[Any, ...]] = []
        self._closed = asyncio.Event()

    async def __call__(self) -> bytes:
        await self._closed.wait()
        raise ProtocolClosed

    def response_bytes(self, *answer: Any) -> None:
        self.answers.append(answer)
        self._closed.set()


def test_a_body_that_does_not_come_in_time_is_a_408() -> None:
    headers = {"content-length": "10", "content-type": "application/json"}
    scope: Any = SimpleNamespace(
        method="POST", path="/api/v1/applications", query_string="", scheme="http",
        http_version="1.1", client="127.0.0.1:1", server="127.0.0.1:80", headers=headers,
    )  # fmt: skip
    server = Server(lambda _environ, _start: [], 1)  # type: ignore[arg-type] # it is never asked
    server._deadlines = Deadlines(0.05)

    async def talk() -> NeverSends:
        client = NeverSends()
        await server.__rsgi__(scope, client)  # type: ignore[arg-type] # as much as is needed
        return client

    [(status, said, content)] = asyncio.run(talk()).answers
    assert (status, dict(said)["Connection"]) == (408, "close")
    assert b"too slowly" in content
