"""Behind nginx and HAProxy, as in deploy, no client receives another client's data."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.live.proxies import NAME, NAMES, Proxy, proxy
from tests.live.servers import NO_TLS, EmbeddedServer, manage
from tests.live.smuggling import Attacker
from tests.live.test_crowd import Owner, read_all
from tests.live.wire import Answer, Wire

pytestmark = pytest.mark.costly

LAST = f"GET /health/live HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n\r\n".encode()
#: So long an attacker is waited for, and so long it waits for the end.
SILENT_S, END_S = 0.1, 2
#: So the server is asked past the proxy.
INSIDE = {"X-Forwarded-Proto": "https", "Host": NAME}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[EmbeddedServer]:
    """One that wants keys and HTTPS."""
    settings = {"REQUIRE_KEYS": "1", "HTTPS": "1", "ALLOWED_HOSTS": NAME}
    with EmbeddedServer(tmp_path_factory.mktemp("behind"), migrated, **settings) as server:
        yield server


@pytest.fixture(scope="module", params=NAMES)
def front(
    request: pytest.FixtureRequest, server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    """Each proxy."""
    name: str = request.param
    with proxy(name, tmp_path_factory.mktemp(name), server.port) as front:
        yield front


@pytest.fixture(scope="module")
def operator(server: EmbeddedServer) -> dict[str, str]:
    """What an operator sends."""
    made = manage("operator_key", "proxies", environment=server.environment)
    return {"Authorization": f"Bearer {made.stdout.splitlines()[-1]}"}


@pytest.fixture
def owners(server: EmbeddedServer, operator: dict[str, str]) -> tuple[Owner, Owner]:
    """One who attacks, and one who is attacked."""
    owners = []
    with httpx.Client(base_url=f"{server.url}/api/v1", headers=INSIDE, verify=NO_TLS) as http:
        for name in ("attacker", "victim"):
            shown = http.post("/applications", json={"name": name}, headers=operator).json()
            owner = Owner(shown["token"], shown["key"])
            key = {"Authorization": f"Bearer {owner.key}"}
            http.post(f"/applications/{owner.token}/chats", json={"name": name}, headers=key)
            sent = http.post(f"{server.url}{owner.messages}", json={"body": name}, headers=key)
            assert sent.status_code == 201, sent.text
            owners.append(owner)
    attacker, victim = owners
    return attacker, victim


def test_a_hundred_ways_to_smuggle_a_request_fail(
    front: Proxy, server: EmbeddedServer, owners: tuple[Owner, Owner]
) -> None:
    attacker, victim = owners
    attacks = list(Attacker(attacker.key.encode(), attacker.messages.encode()).attacks())
    assert len(attacks) > 100
    answered: set[str] = set()

    for number, attack in enumerate(attacks):
        with front.wire() as kept, front.wire(END_S) as wire:
            ask_for_own(kept, victim, f"before-{number}")
            wire.send(*attack.segments)
            wire.says_something(SILENT_S)
            ask_for_own(kept, victim, f"kept-{number}")
            with front.wire() as fresh:
                ask_for_own(fresh, victim, f"fresh-{number}")
            answers = all_answers(wire)
            answered |= {answer.request_id for answer in answers if answer.status == 201}

    stored = read_all_inside(server, attacker)
    # A request that a proxy takes for the next one of its client is answered to that client.
    assert set(stored.values()) - {"attacker"} <= answered
    assert not any(victim.key in text for text in stored.values())
    assert set(read_all_inside(server, victim).values()) == {"victim"}


def all_answers(wire: Wire) -> list[Answer]:
    """All that the attacker gets to hear, whose last requests fill up whatever is still open."""
    answers: list[Answer] = []
    wire.send(LAST * 12)
    with suppress(TimeoutError):  # for some of them even these are not enough
        while (answer := wire.answer(interim=[])) is not None:
            answers.append(answer)
    assert all(answer.status not in (101, 500) for answer in answers)
    return answers


def ask_for_own(wire: Wire, owner: Owner, request_id: str) -> None:
    """A read and a list, both of which show the one message of this owner."""
    head = (
        f"HTTP/1.1\r\nHost: {NAME}\r\nAuthorization: Bearer {owner.key}\r\n"
        f"X-Request-ID: {request_id}\r\n\r\n"
    )
    wire.send(f"GET {owner.messages}/1 {head}GET {owner.messages} {head}".encode())
    for _ in range(2):
        answer = wire.answer()
        assert answer is not None
        assert (answer.status, answer.request_id) == (200, request_id)
        shown = json.loads(answer.body)
        (row,) = shown.get("results", [shown])
        assert (row["application_token"], row["body"]) == (owner.token, "victim")


@pytest.mark.parametrize(
    "trailer", ["Authorization: Bearer {key}", "X-Forwarded-Proto: http", "Host: evil.example"]
)
def test_a_trailer_is_no_header(front: Proxy, owners: tuple[Owner, Owner], trailer: str) -> None:
    _, victim = owners
    body = (
        b'b\r\n{"body":"x"\r\n1\r\n}\r\n0\r\n%s\r\n\r\n' % trailer.format(key=victim.key).encode()
    )
    head = f"POST {victim.messages} HTTP/1.1\r\nHost: {NAME}\r\nTransfer-Encoding: chunked\r\n"

    with front.wire() as wire:
        wire.send(f"{head}Content-Type: application/json\r\n\r\n".encode() + body)
        answer = wire.answer()

    assert answer is None or answer.status in (400, 401)


def test_only_the_proxy_says_by_which_way_a_client_came(
    front: Proxy, owners: tuple[Owner, Owner]
) -> None:
    owner, _ = owners
    head = f"GET {owner.messages} HTTP/1.1\r\nHost: {NAME}\r\nAuthorization: Bearer {owner.key}\r\n"

    with front.wire() as wire:
        wire.send(f"{head}X-Forwarded-Proto: http\r\n\r\n".encode())
        by_https = wire.answer()
    with Wire(front.plain_url) as wire:
        wire.send(f"{head}X-Forwarded-Proto: https\r\n\r\n".encode())
        by_http = wire.answer()

    assert by_https is not None
    assert by_https.status == 200
    assert by_http is not None
    assert by_http.status == 308
    assert by_http.headers["location"] == f"https://{NAME}{owner.messages}"


@pytest.mark.parametrize("path", ["/metrics", "/%6detrics/", "/health/ready", "/health/read%79"])
def test_what_is_for_operators_is_not_passed_on(front: Proxy, path: str) -> None:
    with front.wire() as wire:
        wire.send(f"GET {path} HTTP/1.1\r\nHost: {NAME}\r\n\r\n".encode())
        answer = wire.answer()

    assert answer is not None
    assert answer.status == 404


def test_a_stream_comes_through_at_once_and_its_token_is_in_no_log(
    front: Proxy, owners: tuple[Owner, Owner]
) -> None:
    owner, _ = owners
    application = f"{front.url}/api/v1/applications/{owner.token}"
    headers = {"Host": NAME, "Authorization": f"Bearer {owner.key}"}
    with httpx.Client(headers=headers, verify=front.tls) as http:
        token = http.post(f"{application}/stream-tokens", json={}).json()["token"]
    parameters = {"access_token": token, "after": "0"}

    with (
        httpx.Client(headers={"Host": NAME}, verify=front.tls) as page,
        page.stream("GET", f"{application}/stream", params=parameters) as answer,
    ):
        # It has no end, so only what is not held back on the way is ever read.
        found = next(line for line in answer.iter_lines() if line.startswith("data:"))

    assert '"chat.created"' in found or '"message.created"' in found
    logs = [path.read_text() for path in front.folder.glob("*.log")]
    assert not any(token[:24] in text for text in logs)


def test_a_tag_comes_through_as_it_is_and_can_be_compared(
    front: Proxy, owners: tuple[Owner, Owner]
) -> None:
    owner, _ = owners
    path = f"{front.url}{owner.messages}/1"
    headers = {"Host": NAME, "Authorization": f"Bearer {owner.key}", "Accept-Encoding": "gzip, br"}
    with httpx.Client(headers=headers, verify=front.tls) as http:
        shown = http.get(path)
        known = http.get(path, headers={"If-None-Match": shown.headers["ETag"]})
        edited = http.patch(
            path, json={"body": "x" * 2000}, headers={"If-Match": shown.headers["ETag"]}
        )

    assert shown.headers["ETag"] == '"1"'
    assert "Content-Encoding" not in edited.headers
    assert (known.status_code, edited.status_code) == (304, 200)
    assert edited.headers["ETag"] == '"2"'


def read_all_inside(server: EmbeddedServer, owner: Owner) -> dict[int, str]:
    """All messages of the owner, asked past the proxy."""
    return read_all(server.url, owner, INSIDE)
