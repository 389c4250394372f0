"""Accepted rows are visible at once: while pending, once stored, and in between."""

import random
import time
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import pytest

from ingest import read_your_writes
from ingest.models import NumberAuthority
from ingest.numbering.authority import read_authority
from ingest.sweeper import sweep
from listing import parent_rows
from listing.parent_rows import StoredRows
from messages_app.models import Message
from tests.api.client import Api
from tests.pipeline.backlog import Backlog
from tests.shards import ONLY


@pytest.fixture
def chat(api: Api, backlog: Backlog) -> str:
    """A stored chat."""
    chat = api.new_chat()
    backlog.work()
    return chat


def numbers(page: Any) -> list[int]:
    return [message["message_number"] for message in page.json()["results"]]


def once(act: Callable[[], object]) -> Callable[[], None]:
    """Something that happens the first time only."""
    waiting = [act]

    def act_once() -> None:
        if waiting:
            waiting.pop()()

    return act_once


def before(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, act: Callable[[], None]) -> None:
    """Have something happen before each call of a function."""
    real = getattr(owner, name)

    def acting(*arguments: Any, **named: Any) -> Any:
        act()
        return real(*arguments, **named)

    monkeypatch.setattr(owner, name, acting)


def test_a_pending_message_is_shown_as_the_stored_one_will_be(
    api: Api, backlog: Backlog, chat: str
) -> None:
    created = api.post(f"{chat}/messages", {"body": "héllo 👋\n"}).json()

    pending = api.get(f"{chat}/messages/1")
    in_list = api.get(f"{chat}/messages").json()["results"]
    assert not Message.objects.exists()
    backlog.work()

    stored = api.get(f"{chat}/messages/1")
    assert (pending.status_code, pending.json()) == (200, created)
    assert in_list == [created]
    assert stored.json() == created


def test_a_pending_chat_has_messages_lists_and_search(api: Api, backlog: Backlog) -> None:
    application = api.new_application()
    chat = api.new_chat(application, name="waits")
    api.say(chat, "first")

    assert api.get(chat).json()["name"] == "waits"
    assert [one["name"] for one in api.get(f"{application}/chats").json()["results"]] == ["waits"]
    assert numbers(api.get(f"{chat}/messages")) == [1]
    assert api.get(f"{chat}/messages/1").json()["body"] == "first"
    assert api.get(f"{chat}/messages/search", query="x").status_code == 200
    assert api.get(f"{application}/chats/2/messages").status_code == 404


def test_what_is_stored_costs_no_redis_call(api: Api, backlog: Backlog, chat: str) -> None:
    api.say(chat, "x")
    backlog.work()
    calls = backlog.redis.info("stats")["total_commands_processed"]

    assert api.get(chat).status_code == 200
    assert api.get(f"{chat}/messages/1").status_code == 200
    assert api.put(f"{chat}/messages/1", {"body": "y"}).status_code == 200

    looks = 2  # those at the calls, each with its CLIENT SETINFO
    after = backlog.redis.info("stats")["total_commands_processed"]
    assert after - calls <= 4 * looks


def test_a_row_that_moves_while_it_is_looked_for_is_found(
    api: Api, backlog: Backlog, chat: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.say(chat, "x")
    before(monkeypatch, read_your_writes, "find_pending", once(backlog.work))

    assert api.get(f"{chat}/messages/1").status_code == 200


@pytest.mark.parametrize("seed", range(3))
def test_lists_are_right_at_any_depth_while_the_worker_moves_rows(
    api: Api, backlog: Backlog, chat: str, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    draw = random.Random(seed)
    api.say(chat, *(f"message {n}" for n in range(60)))
    for _ in range(40):
        window = draw_window(draw)
        moving = set(draw.sample(range(1, 61), draw.choice((0, 1, 5))))
        with monkeypatch.context() as patch:
            move = once(lambda moving=moving: backlog.work(lambda row: row.number in moving))  # type: ignore[misc]
            before(patch, StoredRows, "items", move)
            page = api.get(f"{chat}/messages", **window)

        assert numbers(page) == expected(range(1, 61), window), (window, moving)
        bodies = [message["body"] for message in page.json()["results"]]
        assert bodies == [f"message {n - 1}" for n in numbers(page)]


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_follow_each_other_across_what_is_stored_and_what_pends(
    api: Api, backlog: Backlog, chat: str, order: str
) -> None:
    api.say(chat, *"x" * 30)
    backlog.work(lambda row: row.number % 3 == 0 or row.number in range(8, 14))
    in_order = sorted(range(1, 31), reverse=order == "desc")

    forward, last = walk(api, f"{chat}/messages?limit=7&order={order}", "next")
    backward, _ = walk(api, last, "previous")

    assert list(chain(*forward)) == in_order
    assert list(chain(*reversed(backward))) == in_order


def test_the_stored_row_wins(api: Api, backlog: Backlog, chat: str) -> None:
    api.say(chat, "x")
    [member] = backlog.pending()[chat_name(chat)]
    backlog.work()
    Message.objects.update(body="edited")
    backlog.redis.zadd(f"pending:{{{chat_name(chat).replace('/', '}/')}", {member: 1})

    assert api.get(f"{chat}/messages").json()["results"][0]["body"] == "edited"
    assert api.get(f"{chat}/messages/1").json()["body"] == "edited"


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_no_number_is_passed_over_that_a_client_would_never_come_back_to(
    api: Api, backlog: Backlog, chat: str, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    def accept_two_and_store_the_second() -> None:
        api.say(chat, "x", "y")
        backlog.work(lambda row: row.number == 5)

    api.say(chat, "a", "b", "c")
    before(monkeypatch, StoredRows, "items", once(accept_two_and_store_the_second))

    shown = numbers(api.get(f"{chat}/messages", order=order))

    assert sorted(shown) == [1, 2, 3, 4, 5]


def test_a_list_of_what_is_stored_asks_redis_once(
    api: Api, backlog: Backlog, chat: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.say(chat, *"x" * 9)
    backlog.work()
    asked: list[int] = []
    before(monkeypatch, parent_rows, "pending_rows", lambda: asked.append(1))

    page = api.get(f"{chat}/messages", limit=2, after=4).json()

    assert page["previous"]
    assert page["next"]
    assert len(asked) == 1


def test_while_redis_is_away_what_may_be_queued_is_not_denied(
    api: Api, backlog: Backlog, chat: str
) -> None:
    api.say(chat, "stored")
    backlog.work()
    api.say(chat, "queued")
    backlog.server.kill()

    queued = api.get(f"{chat}/messages/2")

    assert (queued.status_code, "Retry-After" in queued.headers) == (503, True)
    assert api.get(f"{chat}/messages/1").status_code == 200
    assert numbers(api.get(f"{chat}/messages")) == [1]
    assert api.get(f"{chat}/messages/100000").status_code == 404
    assert api.get(f"{chat[:-1]}77777").status_code == 404
    backlog.work()
    assert api.get(f"{chat}/messages/2").status_code == 200


def test_a_redis_that_hangs_costs_one_timeout_and_not_one_a_request(
    api: Api, backlog: Backlog, chat: str
) -> None:
    api.say(chat, "x")
    backlog.server.pause()
    began = time.monotonic()

    answers = {api.get(f"{chat}/messages").status_code for _ in range(20)}

    assert answers == {200}
    assert time.monotonic() - began < 5
    backlog.server.resume()


@pytest.mark.parametrize("is_examined", [False, True])
def test_after_redis_lost_its_data_what_was_queued_is_not_denied(
    api: Api, backlog: Backlog, chat: str, is_examined: bool
) -> None:
    api.say(chat, "queued")
    backlog.server.wipe()
    if is_examined:
        api.new_chat()
        assert not read_authority(ONLY).is_drained

    assert api.get(f"{chat}/messages/1").status_code == 503
    assert api.put(f"{chat}/messages/1", {"body": "x"}).status_code == 503

    backlog.work()
    api.new_chat()
    NumberAuthority.objects.update(is_drained=True)
    assert api.get(f"{chat}/messages/1").status_code == 200
    assert api.get(f"{chat}/messages/2").status_code == 404


def test_a_redis_that_was_emptied_under_way_denies_nothing_that_was_queued(
    api: Api, backlog: Backlog, chat: str
) -> None:
    api.say(chat, "queued")
    backlog.redis.flushall()

    assert api.get(f"{chat}/messages/1").status_code == 503
    assert not sweep().is_drained
    assert api.get(f"{chat}/messages/1").status_code == 503

    backlog.work()
    assert api.get(f"{chat}/messages/1").status_code == 200


def draw_window(draw: random.Random) -> dict[str, Any]:
    window: dict[str, Any] = {"limit": draw.choice((1, 3, 10, 200))}
    for name in ("after", "before"):
        if draw.random() < 0.6:
            window[name] = draw.randint(0, 70)
    if draw.random() < 0.5:
        window["order"] = "desc"
    return window


def expected(all_numbers: Sequence[int], window: dict[str, Any]) -> list[int]:
    after, end = window.get("after", 0), window.get("before", 1000)
    inside = [number for number in all_numbers if after < number < end]
    return sorted(inside, reverse=window.get("order") == "desc")[: window["limit"]]


def walk(api: Api, address: str, link: str) -> tuple[list[list[int]], str]:
    """The numbers of page after page, and the address of the last one."""
    pages = []
    while True:
        page = api.get(address)
        pages.append(numbers(page))
        following = page.json()[link]
        if following is None:
            return pages, address
        address = following


def chat_name(chat: str) -> str:
    _, _, token, _, number = chat.split("/")
    return f"{token}/{number}"
