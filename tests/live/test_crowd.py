"""Fifty clients with their own keys pipeline and disconnect at random, from a seed.

Every response belongs to its request and key. Every message that was answered 201 is stored once,
under the returned number.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.live.servers import NO_TLS, EmbeddedServer, StackServer, manage
from tests.live.wire import Answer, Wire

CLIENTS = 50
SEED = 20261129
#: All of them together.
REQUESTS = 8_000
ASKED = ("create", "create", "create", "create", "bulk", "read", "list", "search", "foreign")
RARE = ("keyless", "invalid", "head", "health", "unknown")


@dataclass(frozen=True)
class Owner:
    """An application with a chat, and its key."""

    token: str
    key: str

    @property
    def messages(self) -> str:
        return f"/api/v1/applications/{self.token}/chats/1/messages"


@dataclass
class Asked:
    """A request that was sent, and what its answer has to say."""

    kind: str
    texts: list[str]
    number: int = 0


@dataclass
class Client:
    """One connection after another, of one owner, until it has sent its requests."""

    index: int
    url: str
    owner: Owner
    neighbour: Owner
    requests: int
    #: By number: what was answered 201.
    created: dict[int, str] = field(default_factory=dict)
    #: What was sent as a whole, answered or not.
    sent: set[str] = field(default_factory=set)

    def run(self) -> "Client":
        """Send all of them."""
        self._random = Random(f"{SEED}/{self.index}")
        self._serial = 0
        while self._serial < self.requests:
            with Wire(self.url, within=60) as wire:
                while self._serial < self.requests and self._batch(wire):
                    pass
        return self

    def _batch(self, wire: Wire) -> bool:
        """Some requests at once; whether the connection goes on."""
        asked: dict[str, Asked] = {}
        data = b"".join(self._request(asked) for _ in range(self._random.randint(1, 8)))
        ending = self._random.choice(["read"] * 16 + ["abort", "leave", "half", "cut"])
        if ending == "cut":
            data = data[: self._random.randrange(len(data))]
        cut = self._random.randrange(len(data) + 1)
        wire.send(data[:cut], data[cut:])
        left = dict(asked)
        if ending == "half":
            wire.end()
        if ending in ("abort", "leave", "cut"):
            wanted = self._random.randrange(len(asked)) if ending != "cut" else 0
        else:
            wanted = len(asked)
        for _ in range(wanted):
            self._judge(wire, left)
        match ending:
            case "abort":
                wire.abort()
            case "half":
                assert wire.answer() is None
        return ending == "read"

    def _judge(self, wire: Wire, left: dict[str, Asked]) -> None:
        answer = wire.answer(is_to_head=lambda name: name in left and left[name].kind == "head")
        assert answer is not None, f"no answer to {next(iter(left))}"
        name = next(iter(left))
        assert answer.request_id == name
        self._check(left.pop(name), answer)

    def _request(self, asked: dict[str, Asked]) -> bytes:
        self._serial += 1
        name = f"c{self.index}-{self._serial}"
        kind = self._random.choice(ASKED if self._random.random() < 0.9 else RARE)
        if kind == "read" and not self.created:
            kind = "create"
        request = Asked(kind, [])
        if kind == "read":
            request.number = self._random.choice(sorted(self.created))
        if kind in ("create", "bulk"):
            count = self._random.randint(2, 4) if kind == "bulk" else 1
            request.texts = [f"{self.index}/{self._serial}/{n}/" for n in range(count)]
            self.sent.update(request.texts)
        asked[name] = request
        method, path, body = self._what(request, name)
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"X-Request-ID: {name}"]
        if kind != "keyless":
            lines.append(f"Authorization: Bearer {self.owner.key}")
        if body:
            lines += ["Content-Type: application/json", *self._framed(body)]
            body = self._chunked(body) if lines[-1].startswith("T") else body
        return "\r\n".join([*lines, "", ""]).encode() + body

    def _what(self, asked: Asked, name: str) -> tuple[str, str, bytes]:
        """Method, path and body."""
        own = self.owner.messages
        messages = [{"body": text} for text in asked.texts]
        match asked.kind:
            case "create":
                return "POST", own, json.dumps(messages[0]).encode()
            case "bulk":
                return "POST", f"{own}/bulk", json.dumps({"messages": messages}).encode()
            case "invalid":
                return "POST", own, b'{"body": 5}'
            case "head":
                return "HEAD", own, b""
        paths = {
            "read": f"{own}/{asked.number}",
            "list": f"{own}?limit=10&order=desc",
            "search": f"{own}/search?query=/0/&limit=10",
            "foreign": self.neighbour.messages,
            "health": "/health/live",
            "unknown": f"/api/v1/{name}",
        }
        return "GET", paths.get(asked.kind, own), b""

    def _framed(self, body: bytes) -> list[str]:
        is_chunked = self._random.random() < 0.3
        return ["Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {len(body)}"]

    def _chunked(self, body: bytes) -> bytes:
        cut = self._random.randint(1, len(body) - 1)
        return b"".join(
            b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:cut], body[cut:], b"")
        )

    def _check(self, asked: Asked, answer: Answer) -> None:
        statuses = {"create": 201, "bulk": 201, "invalid": 400, "keyless": 401}
        statuses |= {"foreign": 404, "unknown": 404}
        assert answer.status == statuses.get(asked.kind, 200), (asked, answer)
        shown: dict[str, Any] = json.loads(answer.body or b"{}")
        match asked.kind:
            case "create":
                self._note([shown], asked.texts)
            case "bulk":
                self._note(shown["results"], asked.texts)
            case "read":
                assert shown["message_number"] == asked.number
                assert shown["body"] == self.created[asked.number]
                self._assert_own([shown])
            case "list" | "search":
                self._assert_own(shown["results"])
            case "health":
                assert shown == {"status": "ok"}
        if answer.status >= 400:
            assert shown["request_id"] == answer.request_id

    def _note(self, rows: list[dict[str, Any]], texts: list[str]) -> None:
        assert [row["body"] for row in rows] == texts
        self._assert_own(rows)
        for row in rows:
            assert row["message_number"] not in self.created
            self.created[row["message_number"]] = row["body"]

    def _assert_own(self, rows: list[dict[str, Any]]) -> None:
        assert {row["application_token"] for row in rows} <= {self.owner.token}
        assert all(row["body"].startswith(f"{self.index}/") for row in rows)


@pytest.fixture
def keyed(tmp_path: Path) -> Iterator[StackServer]:
    """A server that wants a key for everything."""
    with StackServer(tmp_path, REQUIRE_KEYS="1") as server:
        yield server


@pytest.mark.stack
def test_fifty_clients_who_pipeline_and_hang_up_get_what_is_theirs(keyed: StackServer) -> None:
    owners = make_owners(keyed)
    clients = [
        Client(index, keyed.url, owner, owners[index - 1], REQUESTS // CLIENTS)
        for index, owner in enumerate(owners)
    ]

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(Client.run, clients))

    for client in clients:
        stored = read_all(keyed.url, client.owner)
        texts = Counter(stored.values())
        assert set(texts) <= client.sent
        assert set(texts.values()) <= {1}
        assert client.created.items() <= stored.items()
        assert len(client.created) > REQUESTS / CLIENTS / 4


def make_owners(server: EmbeddedServer) -> list[Owner]:
    """An application with a chat for each client."""
    made = manage("operator_key", "crowd", environment=server.environment)
    operator = {"Authorization": f"Bearer {made.stdout.splitlines()[-1]}"}
    owners = []
    with httpx.Client(base_url=f"{server.url}/api/v1", timeout=60, verify=NO_TLS) as http:
        for index in range(CLIENTS):
            answer = http.post("/applications", json={"name": f"{index}"}, headers=operator)
            owner = Owner(answer.json()["token"], answer.json()["key"])
            path, key = f"/applications/{owner.token}/chats", f"Bearer {owner.key}"
            http.post(path, json={"name": "crowd"}, headers={"Authorization": key})
            owners.append(owner)
    return owners


def read_all(
    url: str, owner: Owner, headers: Mapping[str, str] = MappingProxyType({})
) -> dict[int, str]:
    """All messages of an application's chat, by number."""
    headers = {"Authorization": f"Bearer {owner.key}", **headers}
    stored: dict[int, str] = {}
    with httpx.Client(headers=headers, timeout=60, verify=NO_TLS) as http:
        page_url: str | None = f"{url}{owner.messages}?limit=200"
        while page_url:
            page = http.get(page_url).json()
            for row in page["results"]:
                assert row["message_number"] not in stored
                stored[row["message_number"]] = row["body"]
            page_url = (
                page["next"]
                and f"{url}{urlsplit(page['next'])._replace(scheme='', netloc='').geturl()}"
            )
    return stored
