"""Requests waiting on the server's event loop delay no other request and occupy no thread."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.live.raw import exchange, raw
from tests.live.servers import NO_TLS, EmbeddedServer, manage

pytestmark = pytest.mark.costly

JSON = "Content-Type: application/json"
CLIENTS = 200

_post, _get = partial(httpx.post, verify=NO_TLS), partial(httpx.get, verify=NO_TLS)


@pytest.fixture(scope="module")
def one_thread(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("loop")
    with EmbeddedServer(folder, migrated, WEB_THREADS="1") as server:
        yield server.url


@pytest.fixture
def messages(one_thread: str) -> str:
    """Where to post to a new chat."""
    application = _post(f"{one_thread}/api/v1/applications", json={"name": "x"})
    chat = _post(f"{application.headers['Location']}/chats", json={"name": "y"})
    return f"{chat.headers['Location']}/messages"


def test_bodies_that_come_slowly_hold_up_nobody(one_thread: str, messages: str) -> None:
    place, path = urlsplit(one_thread), urlsplit(messages).path.encode()
    with ExitStack() as slow:
        for _ in range(CLIENTS):
            client = slow.enter_context(socket.create_connection((place.hostname, place.port)))
            client.sendall(raw("POST", path, JSON, "Content-Length: 100", body=b'{"bo'))

        assert _post(messages, json={"body": "quick"}).status_code == 201
        assert len(_get(messages).json()["results"]) == 1


def test_many_clients_at_once_are_all_numbered_by_a_server_of_one_thread(messages: str) -> None:
    def create(number: int) -> int:
        made = _post(messages, json={"body": str(number)}, timeout=30)
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


def test_a_tag_that_cannot_be_read_is_refused(messages: str) -> None:
    assert _post(messages, json={"body": "x"}).status_code == 201
    path, body = urlsplit(messages).path.encode() + b"/1", b'{"body": "y"}'
    length = f"Content-Length: {len(body)}"

    answer = exchange(messages, raw("PUT", path, JSON, length, b"If-Match: \xff", body=body))

    assert answer.status == 400


@pytest.fixture(scope="module")
def all_settings(
    tmp_path_factory: pytest.TempPathFactory, migrated: Path
) -> Iterator[tuple[str, dict[str, str]]]:
    """A server with all that may ask something of a request, and an operator's key for it."""
    folder = tmp_path_factory.mktemp("keys")
    asks = {"REQUIRE_KEYS": "1", "RATE_LIMIT": "1000/s", "CORS_ORIGINS": "https://chat.example"}
    with EmbeddedServer(folder, migrated, WEB_THREADS="1", **asks) as server:
        made = manage("operator_key", "Loop", environment=server.environment)
        assert made.returncode == 0, made.stderr
        yield server.url, {"Authorization": f"Bearer {made.stdout.split()[-1]}"}


def test_whatever_is_asked_of_a_create_nothing_waits_for_the_database(
    all_settings: tuple[str, dict[str, str]],
) -> None:
    # Django refuses to talk to a database on an event loop, so that would be a 500.
    url, operator = all_settings
    answers = [
        _post(f"{url}/api/v1/applications", json={"name": name}, headers=operator) for name in "ab"
    ]
    ours, theirs = ({"Authorization": f"Bearer {one.json()['key']}"} for one in answers)
    chats = f"{answers[0].headers['Location']}/chats"

    def post(address: str, headers: dict[str, str], **more: str) -> int:
        content = {"name": "x", "body": "x"}
        return _post(address, json=content, headers=headers | more).status_code

    for address in (chats, f"{chats}/1/messages"):
        assert (
            post(address, ours, **{"Idempotency-Key": "1", "Origin": "https://chat.example"}) == 201
        )
        assert post(address, ours, **{"Idempotency-Key": "1"}) == 201
        assert post(address, operator) == 201
        assert post(address, theirs) == 404
        assert post(address, {}) == post(address, {"Authorization": "Bearer x"}) == 401
        assert post(address, {"Cookie": "sessionid=x"}) == 401
    assert post(f"{chats}/99/messages", ours) == 404


def test_whatever_is_asked_of_a_read_or_an_edit_nothing_waits_for_the_database(
    all_settings: tuple[str, dict[str, str]],
) -> None:
    url, operator = all_settings
    made = _post(f"{url}/api/v1/applications", json={"name": "a"}, headers=operator)
    ours = {"Authorization": f"Bearer {made.json()['key']}"}
    chats = f"{made.headers['Location']}/chats"
    messages = f"{chats}/1/messages"
    _post(chats, json={"name": "x"}, headers=ours)
    for number in range(9):
        _post(messages, json={"body": "x", "sender": f"s{number % 2}"}, headers=ours)

    def ask(address: str, method: str = "GET", **headers: str) -> int:
        answer = httpx.request(method, address, headers=ours | headers, verify=NO_TLS)
        return answer.status_code

    for status, address in (
        (200, chats),
        (200, f"{chats}/1"),
        (200, messages),
        (200, f"{messages}?order=desc&limit=3"),
        (200, f"{messages}?after=2&limit=3"),
        (200, f"{messages}?before=8&limit=3&order=desc"),
        (200, f"{messages}?after=9"),
        (200, f"{messages}?sender=s1"),
        (200, f"{messages}?s%65nder=s1"),
        (200, f"{messages}?created_after=2026-01-01T00:00:00Z"),
        (400, f"{messages}?limit=0"),
        (200, f"{messages}/9"),
        (404, f"{messages}/10"),
        (404, f"{chats}/2"),
        (404, f"{chats}/2/messages"),
        (404, f"{chats}/2/messages?after=5"),
        (404, f"{chats}/2/messages/1"),
    ):
        assert ask(address) == ask(address, "HEAD") == status, address

    def edit(address: str, **headers: str) -> int:
        content = {"name": "y", "body": "y"}
        answer = httpx.patch(address, json=content, headers=ours | headers, verify=NO_TLS)
        return answer.status_code

    assert edit(f"{chats}/1") == edit(f"{messages}/8") == 200
    assert edit(f"{messages}/8", **{"If-Match": '"1"'}) == 412
    assert edit(f"{messages}/10") == edit(f"{chats}/2") == 404
    assert edit(f"{messages}/8", Cookie="sessionid=x") == 200
    assert ask(messages, Cookie="sessionid=x") == 200
    assert ask(f"{messages}/9", **{"If-None-Match": '"1"'}) == 304
    assert ask(messages, Authorization="Bearer x") == 401
    assert ask(f"{url}/api/v1/applications/{24 * '0'}/chats", **operator) == 404
