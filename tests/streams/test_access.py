"""Who may open a stream, how many, and when an open one ends."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Any, Self

import httpx
import pytest

from chaos.listener import Listener
from tests.live.servers import NO_TLS, EmbeddedServer, eventually, manage

WITHIN = 30
MOST = 3


class LoggingServer(EmbeddedServer):
    """A server that requires keys, takes few streams, and logs into a file."""

    def __init__(self, folder: Path, migrated: Path) -> None:
        settings = {"REQUIRE_KEYS": "1", "WEB_STREAMS_PER_APPLICATION": str(MOST)}
        super().__init__(folder, migrated, LOG_LEVEL="DEBUG", **settings)
        self.log = folder / "server.log"

    def __enter__(self) -> Self:
        with self.log.open("w") as log:
            self.process = Popen([sys.executable, *self.COMMAND], env=self.environment, stderr=log)
        eventually(self._answers, WITHIN, f"a server at {self.url}")
        return self


@dataclass
class Owner:
    """An application with a chat, and a client with its key."""

    http: httpx.Client
    path: str
    key: str

    def token(self, **fields: Any) -> str:
        answer = self.http.post(f"{self.path}/stream-tokens", json=fields)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["token"])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[LoggingServer]:
    with LoggingServer(tmp_path_factory.mktemp("streams"), migrated) as server:
        yield server


@pytest.fixture(scope="module")
def operator(server: LoggingServer) -> Iterator[httpx.Client]:
    made = manage("operator_key", "ops", environment=server.environment)
    with client(server, made.stdout.split()[-1]) as operator:
        yield operator


def client(server: EmbeddedServer, key: str = "") -> httpx.Client:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    base = f"{server.url}/api/v1"
    return httpx.Client(base_url=base, headers=headers, verify=NO_TLS, timeout=30)


@pytest.fixture
def owner(server: LoggingServer, operator: httpx.Client) -> Iterator[Owner]:
    made = operator.post("/applications", json={"name": "x"}).json()
    path = f"/applications/{made['token']}"
    with client(server, made["key"]) as http:
        for name in ("one", "two"):
            http.post(f"{path}/chats", json={"name": name})
        yield Owner(http, path, made["key"])


def status(server: EmbeddedServer, path: str, key: str = "", **query: str) -> int:
    """The status of a stream, which is closed at once."""
    address = f"{server.url}/api/v1{path}"
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with httpx.stream("GET", address, params=query, headers=headers, verify=NO_TLS) as answer:
        return answer.status_code


def is_over(listener: Listener) -> bool:
    """Whether the stream was closed, and the next attempt was refused."""
    return listener.refused is not None


def test_a_key_opens_the_streams_of_its_application(
    server: LoggingServer, operator: httpx.Client, owner: Owner
) -> None:
    other = operator.post("/applications", json={"name": "y"}).json()

    assert status(server, f"{owner.path}/stream", owner.key) == 200
    assert status(server, f"{owner.path}/chats/2/stream", owner.key) == 200
    assert status(server, f"{owner.path}/stream", other["key"]) == 404
    assert status(server, f"{owner.path}/stream") == 401


def test_a_token_opens_what_it_names_and_nothing_else(
    server: LoggingServer, operator: httpx.Client, owner: Owner
) -> None:
    other = operator.post("/applications", json={"name": "y"}).json()["token"]
    for_chat, for_all = owner.token(chat_number=1), owner.token()

    def opens(path: str, token: str) -> int:
        return status(server, path, access_token=token)

    assert opens(f"{owner.path}/chats/1/stream", for_chat) == 200
    assert opens(f"{owner.path}/chats/2/stream", for_chat) == 403
    assert opens(f"{owner.path}/stream", for_chat) == 403
    assert opens(f"{owner.path}/stream", for_all) == 200
    assert opens(f"{owner.path}/chats/2/stream", for_all) == 200
    for token in (for_chat, for_all):
        assert opens(f"/applications/{other}/stream", token) == 404
        for elsewhere in ("", "/events", "/chats", "/chats/1", "/chats/1/messages"):
            assert opens(f"{owner.path}{elsewhere}", token) == 401
            assert status(server, f"{owner.path}{elsewhere}", token) == 401
        assert opens(f"{owner.path}/stream", f"{token}x") == 401
        assert opens(f"{owner.path}/stream", token.replace(":", "")) == 401


@pytest.mark.parametrize(
    "fields",
    [
        {"seconds": 0},
        {"seconds": 3601},
        {"seconds": "60"},
        {"seconds": True},
        {"seconds": 1.5},
        {"seconds": None},
        {"chat_number": 0},
        {"chat_number": None},
        {"chat_number": "1"},
        {"chat_number": 2**64},
        {"chat_number": [1]},
    ],
)
def test_wrong_fields_of_a_token_are_refused(owner: Owner, fields: dict[str, Any]) -> None:
    answer = owner.http.post(f"{owner.path}/stream-tokens", json=fields)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == next(iter(fields))


def test_a_token_of_a_chat_needs_the_chat(owner: Owner) -> None:
    answer = owner.http.post(f"{owner.path}/stream-tokens", json={"chat_number": 9})

    assert answer.status_code == 404


def test_a_repeated_request_gets_the_same_token(owner: Owner) -> None:
    def ask(seconds: int) -> httpx.Response:
        return owner.http.post(
            f"{owner.path}/stream-tokens",
            data={"seconds": seconds},
            headers={"Idempotency-Key": "k"},
        )

    first, again = ask(60), ask(60)

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert ask(61).status_code == 422


def test_a_replaced_key_ends_its_streams(server: LoggingServer, owner: Owner) -> None:
    stream = f"{owner.path}/stream"
    with (
        Listener(server.url, stream, key=owner.key) as by_key,
        Listener(server.url, stream, access_token=owner.token()) as by_token,
    ):
        eventually(lambda: by_key.is_open and by_token.is_open, WITHIN, "both are open")
        owner.http.post(f"{owner.path}/key")

        eventually(lambda: is_over(by_key) and is_over(by_token), WITHIN, "both are over")

    assert (by_key.refused.status, by_token.refused.status) == (401, 401)  # type: ignore[union-attr]
    assert (by_key.connects, by_token.connects) == (1, 1)


def test_a_token_that_expires_ends_its_stream(server: LoggingServer, owner: Owner) -> None:
    with Listener(server.url, f"{owner.path}/stream", access_token=owner.token(seconds=2)) as one:
        eventually(lambda: is_over(one), WITHIN, "it is over")

    assert one.connects == 1
    assert "expired" in one.refused.document["detail"]  # type: ignore[union-attr]


def test_a_revoked_operator_key_ends_its_streams(server: LoggingServer, owner: Owner) -> None:
    made = manage("operator_key", "gone", environment=server.environment)
    key = made.stdout.split()[-1]
    with Listener(server.url, f"{owner.path}/stream", key=key) as listener:
        eventually(lambda: listener.is_open, WITHIN, "it is open")
        manage("operator_key", "gone", "--revoke", environment=server.environment)

        eventually(lambda: is_over(listener), WITHIN, "it is over")


def test_there_is_a_bound_of_streams(server: LoggingServer, owner: Owner) -> None:
    stream = f"{owner.path}/stream"
    open_ones = [Listener(server.url, stream, key=owner.key) for _ in range(MOST)]
    for listener in open_ones:
        listener.start()
        eventually(lambda: listener.is_open, WITHIN, "it is open")  # noqa: B023

    answer = owner.http.get(stream)

    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    open_ones.pop().stop()
    eventually(lambda: status(server, stream, owner.key) == 200, WITHIN, "one more fits")
    for listener in open_ones:
        listener.stop()


def test_a_token_is_in_no_log_line(server: LoggingServer, owner: Owner) -> None:
    token = owner.token(chat_number=1)
    for path, expected in (
        ("/chats/1/stream", 200),
        ("/stream", 403),
        ("/chats/9/stream", 403),
        ("/nothing", 404),
    ):
        assert status(server, f"{owner.path}{path}", access_token=token) == expected
    lines = server.log.read_text()

    assert "/nothing" in lines
    assert token.partition(":")[0] not in lines


@pytest.mark.costly
def test_streams_end_with_the_process_and_go_on_in_the_next(tmp_path: Path, migrated: Path) -> None:
    first = EmbeddedServer(tmp_path, migrated)
    with first:
        with client(first) as http:
            path = f"/applications/{http.post('/applications', json={'name': 'x'}).json()['token']}"
            http.post(f"{path}/chats", json={"name": "x"})
            listeners = [Listener(first.url, f"{path}/stream", after="0") for _ in range(10)]
            for listener in listeners:
                listener.start()
            eventually(lambda: all(one.received for one in listeners), WITHIN, "all listen")
        first.process.terminate()
        first.process.wait(40)

    again = EmbeddedServer(tmp_path)
    again.port, again.url, again.environment = first.port, first.url, first.environment
    with again:
        with client(again) as http:
            http.post(f"{path}/chats/1/messages", json={"body": "x"})
            eventually(lambda: all(one.ids == ["1", "2"] for one in listeners), WITHIN, "all go on")
        for listener in listeners:
            listener.stop()

    assert {one.connects for one in listeners} == {2}
