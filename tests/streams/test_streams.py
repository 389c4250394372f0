"""Streams of events of a real server: everything arrives once, in order, wherever one is cut."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

import httpx
import pytest

from chaos.listener import Listener
from tests.live.servers import NO_TLS, eventually

WITHIN = 30


@pytest.fixture
def application(http: httpx.Client) -> str:
    token = http.post("/applications", json={"name": "x"}).json()["token"]
    return f"/applications/{token}"


@pytest.fixture
def chat(http: httpx.Client, application: str) -> str:
    made = http.post(f"{application}/chats", json={"name": "x"}).json()
    chat = f"{application}/chats/{made['chat_number']}"
    eventually(lambda: log(http, application), WITHIN, "the chat is stored")
    return chat


def log(http: httpx.Client, application: str) -> list[Any]:
    """All entries of the log."""
    entries: list[Any] = []
    address: str | None = f"{application}/events?limit=200"
    while address:
        page = http.get(address).json()
        entries += page["results"]
        address = page["next"]
    return entries


def opened(listener: Listener) -> Listener:
    eventually(lambda: listener.is_open, WITHIN, "the stream has begun")
    return listener


@pytest.mark.both
def test_each_kind_of_event_arrives_as_the_log_shows_it(
    http: httpx.Client, base_url: str, application: str, chat: str
) -> None:
    with Listener(base_url, f"{application}/stream") as listener:
        opened(listener)
        http.post(f"{application}/chats", json={"name": "another"})
        http.post(f"{chat}/messages/bulk", json={"messages": [{"body": "x\ny"}] * 3})
        http.patch(f"{chat}/messages/2", json={"body": "changed"})
        http.patch(chat, json={"name": "renamed"})
        http.patch(application, json={"name": "renamed"})
        http.delete(f"{chat}/messages/2")
        eventually(lambda: len(log(http, application)) == 9, WITHIN, "all is stored")
        entries = log(http, application)[1:]
        eventually(lambda: len(listener.received) == 8, WITHIN, "all arrives")

    assert [one.id for one in listener.received] == [entry["id"] for entry in entries]
    assert [one.type for one in listener.received] == [entry["type"] for entry in entries]
    # A created message may be shown as it was when it was sent, or as it is later.
    assert [set(one.data) for one in listener.received] == [set(entry) for entry in entries]
    assert listener.received[-1].data == entries[-1]
    assert listener.received[-1].data["message"]["body"] is None


def test_a_stream_of_a_chat_has_the_events_of_that_chat(
    http: httpx.Client, base_url: str, application: str, chat: str
) -> None:
    other = f"{application}/chats/2"
    with Listener(base_url, f"{chat}/stream", after="0") as listener:
        http.post(f"{application}/chats", json={"name": "another"})
        for number in range(3):
            http.post(f"{other}/messages", json={"body": "not here"})
            http.post(f"{chat}/messages", json={"body": f"{number}"})
        http.patch(application, json={"name": "renamed"})
        http.patch(chat, json={"name": "renamed"})
        eventually(
            lambda: listener.received and listener.received[-1].type == "chat.updated",
            WITHIN,
            "the last one arrives",
        )

    assert [one.type for one in listener.received] == [
        "chat.created", *["message.created"] * 3, "chat.updated",
    ]  # fmt: skip
    assert {one.data["chat_number"] for one in listener.received} == {1}


@pytest.mark.both
def test_listeners_that_are_cut_at_random_miss_and_repeat_nothing(
    http: httpx.Client, base_url: str, application: str, chat: str
) -> None:
    rounds, writers, listeners = 30, 3, [Listener(base_url, f"{application}/stream", after="0")]
    listeners += [Listener(base_url, f"{chat}/stream", after="0") for _ in range(2)]
    listeners += [Listener(base_url, f"{application}/stream", after="0") for _ in range(5)]
    random = Random(21)

    def write(_: int) -> None:
        with httpx.Client(base_url=f"{base_url}/api/v1", timeout=60, verify=NO_TLS) as client:
            for number in range(rounds):
                bodies = [{"body": f"{number} {one}"} for one in range(1 + number % 7)]
                answer = client.post(f"{chat}/messages/bulk", json={"messages": bodies})
                assert answer.status_code == 201
                random.choice(listeners).cut()

    for listener in listeners:
        listener.start()
    try:
        with ThreadPoolExecutor(writers) as pool:
            list(pool.map(write, range(writers)))
        messages = writers * sum(1 + number % 7 for number in range(rounds))
        eventually(lambda: len(log(http, application)) == messages + 1, WITHIN, "all is stored")
        expected = [entry["id"] for entry in log(http, application)]
        for listener in listeners:
            eventually(lambda: len(listener.ids) >= len(expected), WITHIN, "all arrives")  # noqa: B023
    finally:
        for listener in listeners:
            listener.stop()

    assert {tuple(listener.ids) for listener in listeners} == {tuple(expected)}
    assert sum(listener.connects for listener in listeners) > len(listeners)


def test_a_client_that_was_cut_before_the_first_event_misses_nothing(
    http: httpx.Client, base_url: str, application: str, chat: str
) -> None:
    with Listener(base_url, f"{application}/stream") as listener:
        opened(listener)
    first = listener.last_id
    http.post(f"{chat}/messages", json={"body": "meanwhile"})

    with Listener(base_url, f"{application}/stream", after=first) as again:
        eventually(lambda: again.received, WITHIN, "it arrives")

    assert first == "1"
    assert again.received[0].data["message"]["body"] == "meanwhile"


@pytest.mark.parametrize("after", ["0", "1", "2.1", "2.2", "2", "3"])
def test_a_stream_goes_on_anywhere_in_a_run(
    http: httpx.Client, base_url: str, application: str, chat: str, after: str
) -> None:
    http.post(f"{chat}/messages/bulk", json={"messages": [{"body": "x"}] * 3})
    http.patch(chat, json={"name": "renamed"})
    ids = ["0", "1", "2.1", "2.2", "2", "3"]

    with Listener(base_url, f"{application}/stream", after=after) as listener:
        http.patch(chat, json={"name": "again"})
        rest = [*ids[ids.index(after) + 1 :], "4"]
        eventually(lambda: len(listener.received) >= len(rest), WITHIN, "the rest arrives")

    assert [one.id for one in listener.received] == rest


def test_the_id_that_was_seen_last_counts_before_the_address(
    http: httpx.Client, base_url: str, application: str, chat: str
) -> None:
    http.post(f"{chat}/messages", json={"body": "x"})
    stream = f"{base_url}/api/v1{application}/stream?after=0"

    with httpx.stream("GET", stream, headers={"Last-Event-ID": "1"}, verify=NO_TLS) as answer:
        lines = answer.iter_lines()

        assert [line for line in _until_data(lines) if line.startswith("id:")] == ["id: 1", "id: 2"]
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-accel-buffering"] == "no"


def _until_data(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        yield line
        if line.startswith("data:"):
            return


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/stream?after=x", {}, 400),
        ("/stream?after=1.0", {}, 400),
        ("/stream", {"Last-Event-ID": "1;"}, 400),
        ("/stream", {"Accept": "application/json"}, 406),
        ("/chats/2/stream", {}, 404),
        ("/chats/0/stream", {}, 404),
        ("/stream?access_token=x", {}, 401),
    ],
)
def test_a_wrong_request_gets_a_problem_document(
    http: httpx.Client, application: str, chat: str, path: str, headers: dict[str, str], status: int
) -> None:
    answer = http.get(f"{application}{path}", headers=headers)

    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert answer.headers["content-type"] == "application/problem+json"


def test_head_says_what_a_stream_would_be(http: httpx.Client, application: str) -> None:
    for _ in range(2):  # the connection goes on
        answer = http.head(f"{application}/stream")

        assert (answer.status_code, answer.content) == (200, b"")


def test_other_methods_are_refused(http: httpx.Client, application: str) -> None:
    answer = http.post(f"{application}/stream", json={})

    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"


def test_a_client_that_reads_late_gets_everything_while_others_do_not_wait(
    http: httpx.Client, base_url: str, application: str, chat: str
) -> None:
    address = f"{base_url}/api/v1{application}/stream?after=0"
    bodies = [{"body": "x" * 16_000}] * 200
    with (
        httpx.stream("GET", address, verify=NO_TLS, timeout=60) as slow,
        Listener(base_url, f"{application}/stream", after="0") as listener,
    ):
        for _ in range(5):  # far more than the buffers of both sides hold
            http.post(f"{chat}/messages/bulk", json={"messages": bodies})
        eventually(lambda: len(listener.received) == 1001, WITHIN, "the others have everything")
        ids = [line.removeprefix("id: ") for line in _ids(slow.iter_lines(), listener.ids[-1])]

    assert ids == ["0", *listener.ids]


def _ids(lines: Iterator[str], last: str) -> Iterator[str]:
    for line in lines:
        if line.startswith("id:"):
            yield line
        if line == f"id: {last}":
            return
