"""What a stream has, where it begins, and how it is refused; all profiles share this code."""

from collections.abc import Iterator

import httpx
import pytest

from chaos.listener import Listener
from tests.live.servers import NO_TLS, eventually
from tests.streams.log import WITHIN, opened


@pytest.fixture
def base_url(server_url: str) -> str:
    """Of the embedded profile, where each event is stored before the answer."""
    return server_url


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
