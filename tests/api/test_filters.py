"""Lists of messages by time and sender are the unfiltered list without the others."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from chats.records import CHATS
from ingest.bulk_insert import bulk_insert
from ingest.records import NumberedRow
from messages_app.filtered_list import FilteredMessages, TooManyCandidates
from messages_app.models import Message
from messages_app.records import MESSAGES
from tests.api.client import Api
from tests.api.problems import assert_problem

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
COUNT = 120
SENDERS = ("Ada", "ada", "Bob", None)

pytestmark = pytest.mark.both


@pytest.fixture
def chat(api: Api) -> str:
    """A chat whose messages have times in a random order, and gaps between their numbers."""
    chat = api.new_chat()
    token, number = chat.split("/")[2], int(chat.rsplit("/", 1)[1])
    pick = random.Random(7)
    rows: list[NumberedRow] = []
    for message in sorted(pick.sample(range(1, 2 * COUNT), COUNT)):
        at = START + timedelta(minutes=pick.randrange(60))
        sender = pick.choice(SENDERS)
        row = MESSAGES.new((token, number), accepted_at=at, body="x", sender=sender)
        rows.append(row.numbered(message))
    bulk_insert(rows)
    assert CHATS.rows((token, number)).exists()
    return chat


@pytest.fixture(params=[1000, 7], ids=["all at once", "in steps"])
def step(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How many messages are looked at before the index of times is used."""
    monkeypatch.setattr(FilteredMessages, "step", request.param)


FILTERS: list[dict[str, str]] = [
    {"sender": "Ada"},
    {"sender": " Ada "},
    {"sender": "nobody"},
    {"created_after": "2026-01-31T12:30:00Z"},
    {"created_before": "2026-01-31T13:30:00+01:00"},
    {"created_after": "2026-01-31T12:58:00Z"},
    {"created_after": "2026-01-31T12:29:00Z", "created_before": "2026-01-31T12:31:00Z"},
    {"created_after": "2026-01-31T12:30:00Z", "sender": "Bob"},
    {"created_after": "2026-01-31T12:30:00Z", "created_before": "2026-01-31T12:30:00.000001Z"},
    {"created_after": "2000-01-01T00:00:00Z"},
    {"created_before": "0001-01-01T00:00:00Z"},
    {"created_after": "9999-12-31T23:59:59.999999Z"},
]


def is_wanted(message: dict[str, Any], filters: dict[str, str]) -> bool:
    """The contract, as plainly as possible."""
    at = datetime.fromisoformat(message["created_at"])
    after, before = (filters.get(name) for name in ("created_after", "created_before"))
    return (
        (after is None or at > datetime.fromisoformat(after))
        and (before is None or at < datetime.fromisoformat(before))
        and ("sender" not in filters or message["sender"] == filters["sender"].strip())
    )


def walk(api: Api, path: str, link: str, **parameters: Any) -> Iterator[list[dict[str, Any]]]:
    """The pages that follow each other by this link."""
    page = api.get(path, **parameters).json()
    yield page["results"]
    while page[link]:
        page = api.get(page[link]).json()
        yield page["results"]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("filters", FILTERS, ids=str)
def test_all_pages_together_are_the_list_without_the_others(
    api: Api, chat: str, step: None, filters: dict[str, str], order: str
) -> None:
    path = f"{chat}/messages"
    everything = api.get(path, limit=200, order=order).json()["results"]
    wanted = [message for message in everything if is_wanted(message, filters)]

    pages = list(walk(api, path, "next", limit=7, order=order, **filters))

    assert [message for page in pages for message in page] == wanted
    assert all(len(page) == 7 for page in pages[:-1])
    if len(pages) > 1:
        last = wanted[-1]["message_number"]
        start = {"before": last} if order == "desc" else {"after": last}
        back = list(walk(api, path, "previous", limit=7, order=order, **filters, **start))
        assert [one for page in back[::-1] for one in page] == wanted


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_bounds_of_numbers_and_filters_go_together(
    api: Api, chat: str, step: None, order: str
) -> None:
    filters = {"created_after": "2026-01-31T12:10:00Z", "sender": "Ada"}
    everything = api.get(f"{chat}/messages", limit=200, order=order).json()["results"]

    shown = api.get(f"{chat}/messages", after=50, before=150, limit=200, order=order, **filters)

    assert shown.json()["results"] == [
        message
        for message in everything
        if 50 < message["message_number"] < 150 and is_wanted(message, filters)
    ]


def test_an_erased_message_has_a_time_and_no_sender(api: Api, chat: str) -> None:
    [erased, *_] = api.get(f"{chat}/messages", sender="Ada").json()["results"]
    api.delete(f"{chat}/messages/{erased['message_number']}")

    by_sender = api.get(f"{chat}/messages", sender="Ada").json()["results"]
    by_time = api.get(f"{chat}/messages", created_after="2026-01-01T00:00:00Z", limit=200).json()

    assert erased["message_number"] not in [one["message_number"] for one in by_sender]
    assert len(by_time["results"]) == COUNT


def test_a_new_message_is_listed_at_once(api: Api, chat: str) -> None:
    api.post(f"{chat}/messages", {"body": "new", "sender": "Eve"})

    for filters in ({"sender": "Eve"}, {"created_after": "2026-03-01T00:00:00Z"}):
        [shown] = api.get(f"{chat}/messages", **filters).json()["results"]
        assert shown["body"] == "new"


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("created_after", "", "time"),
        ("created_after", "yesterday", "time"),
        ("created_after", "2026-01-31", "time"),
        ("created_after", "2026-01-31T12:00:00", "time"),
        ("created_after", "2026-02-31T12:00:00Z", "time"),
        ("created_before", "2026-01-31T12:00:00 01:00", "time"),
        ("created_before", "0001-01-01T00:00:00+23:59", "time"),
        ("created_before", "9999-12-31T23:59:59-23:59", "time"),
        ("created_before", "9" * 400, "time"),
        ("created_before", "2026-01-31T12:00:00Z\0", "time"),
        ("sender", "", "blank"),
        ("sender", "x" * 256, "max_length"),
        ("sender", "a\0", "null"),
    ],
)
def test_a_bad_filter_is_refused(api: Api, chat: str, name: str, value: str, code: str) -> None:
    answer = api.client.get(f"/api/v1{chat}/messages?{name}={quote(value)}")

    [error] = assert_problem(answer, 400)["errors"]
    assert (error["field"], error["code"]) == (name, code)


def test_what_would_take_too_long_is_refused(
    api: Api, chat: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FilteredMessages, "step", 5)
    monkeypatch.setattr(FilteredMessages, "max_candidates", 10)
    oldest = Message.objects.order_by("message_number")[0]
    Message.objects.exclude(pk=oldest.pk).update(created_at=START)

    answer = api.get(f"{chat}/messages", limit=50, created_after="2026-01-01T00:00:00Z")
    assert assert_problem(answer, 503)["detail"] == TooManyCandidates.detail
    assert int(answer["Retry-After"]) > 0
    narrow = {"created_after": "2026-01-31T12:00:00Z", "limit": "1"}
    assert api.get(f"{chat}/messages", **narrow).status_code == 200
