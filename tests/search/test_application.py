"""Search in all chats of an application: newest first, in pages, and in no other application."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import Settings

from messages_app.models import Message
from search.service import Matcher
from tests.api.client import Api
from tests.api.problems import assert_problem
from tests.search.conftest import Settle
from tests.search.test_bounds import may_read
from tests.search.test_indexing import key_of

Place = tuple[int, int]

T0 = datetime(2026, 1, 31, 12, tzinfo=UTC)


def found(page: Any) -> list[Place]:
    """Chat and number of each result."""
    return [(hit["chat_number"], hit["message_number"]) for hit in page["results"]]


def application_of(chat: str) -> str:
    return chat.partition("/chats")[0]


def at(chat: str, number: int, seconds: int) -> None:
    """Let this message be of another time."""
    token, chat_number, _ = key_of(chat, number)
    Message.objects.filter(
        application_token=token, chat_number=chat_number, message_number=number
    ).update(created_at=T0 + timedelta(seconds=seconds))


@pytest.fixture
def application(api: Api) -> str:
    """Three chats; times and numbers are not in the same order, and several times are the same."""
    application = api.new_application()
    for _ in range(3):
        chat = api.new_chat(application)
        api.say(chat, "a needle", "hay", "Needle", "NEEDLE and more")
    for chat_number, times in {1: (5, 9, 5, 1), 2: (5, 5, 7, 7), 3: (2, 3, 7, 5)}.items():
        for number, seconds in enumerate(times, start=1):
            at(f"{application}/chats/{chat_number}", number, seconds)
    stranger = api.new_chat()
    api.say(stranger, "needle")
    return application


IN_ORDER = [(3, 3), (2, 4), (2, 3), (3, 4), (2, 1), (1, 3), (1, 1), (3, 1), (1, 4)]


def search(api: Api, application: str, **parameters: object) -> Any:
    answer = api.get(f"{application}/messages/search", query="needle", **parameters)
    assert answer.status_code == 200, answer.content
    return answer


@pytest.mark.both
def test_hits_of_all_chats_come_newest_first(api: Api, settle: Settle, application: str) -> None:
    backend = settle()

    answer = search(api, application)

    assert answer["Search-Backend"] == backend
    assert found(answer.json()) == IN_ORDER
    assert (answer.json()["next"], answer.json()["previous"]) == (None, None)


@pytest.mark.both
def test_a_hit_is_a_message_and_its_highlight(api: Api, settle: Settle) -> None:
    chat = api.new_chat()
    body = {"body": "<needle>", "sender": "Zoë", "metadata": {"b": 1, "a": [None, "é"]}}
    assert api.post(f"{chat}/messages", body).status_code == 201
    settle()

    [hit] = search(api, application_of(chat)).json()["results"]

    assert hit.pop("highlight") == "&lt;<mark>needle</mark>&gt;"
    assert hit == api.get(f"{chat}/messages/1").json()


@pytest.mark.both
@pytest.mark.parametrize("limit", [1, 2, 4, 8, 9])
def test_pages_are_walked_in_both_directions(
    api: Api, settle: Settle, application: str, limit: int
) -> None:
    settle()
    pages = [search(api, application, limit=limit).json()]
    while pages[-1]["next"]:
        pages.append(api.get(pages[-1]["next"]).json())

    assert [place for page in pages for place in found(page)] == IN_ORDER
    assert all(len(page["results"]) == limit for page in pages[:-1])

    page, before = pages[-1], found(pages[-1])
    while page["previous"]:
        page = api.get(page["previous"]).json()
        before = found(page) + before
    assert before == IN_ORDER


@pytest.mark.both
def test_a_new_hit_is_on_the_page_before(api: Api, settle: Settle, application: str) -> None:
    settle()
    second = search(api, application, limit=8).json()["next"]
    api.say(f"{application}/chats/2", "needle")
    settle()

    page = api.get(second).json()
    before = api.get(page["previous"]).json()

    assert found(page) == IN_ORDER[8:]
    assert found(before) == IN_ORDER[:8]
    assert found(api.get(before["previous"]).json()) == [(2, 5)]
    assert api.get(before["next"]).json()["results"] == page["results"]


def test_a_cursor_comes_from_a_link_of_this_application(api: Api, application: str) -> None:
    link = search(api, application, limit=1).json()["next"]
    cursor = link.rpartition("cursor=")[2]
    other = api.new_application()

    for path, each in (
        (application, ""),
        (application, "x"),
        (application, f"{cursor[:-1]}{'A' if cursor[-1] != 'A' else 'B'}"),
        (application, "é.\0"),
        (other, cursor),
    ):
        refused = api.get(f"{path}/messages/search", query="needle", cursor=each)
        assert_problem(refused, 400)
        assert refused.json()["errors"][0]["field"] == "cursor"


@pytest.mark.parametrize(
    "wrong", [{"limit": 0}, {"limit": 201}, {"query": ""}, {"created_after": "x"}]
)
def test_parameters_out_of_range_are_refused(api: Api, wrong: dict[str, object]) -> None:
    address = f"{api.new_application()}/messages/search"

    assert_problem(api.get(address, **{"query": "x", **wrong}), 400)


@pytest.mark.both
def test_no_application_is_found_where_there_is_none(api: Api, settle: Settle) -> None:
    application = api.new_application()
    settle()

    assert search(api, application).json()["results"] == []
    unknown = api.get(f"/applications/{'0' * 24}/messages/search", query="x")
    assert_problem(unknown, 404)


@pytest.mark.both
def test_the_database_reads_no_more_than_the_bound(
    api: Api, settings: Settings, application: str
) -> None:
    may_read(settings, 12)
    assert found(search(api, application).json()) == IN_ORDER

    may_read(settings, 4)
    assert found(search(api, application, limit=2).json()) == IN_ORDER[:2]
    refused = api.get(f"{application}/messages/search", query="no such")
    assert_problem(refused, 503)
    assert refused["Retry-After"]
    # Only what lies within bounds of time is read.
    late = search(api, application, created_after=(T0 + timedelta(seconds=6)).isoformat())
    assert found(late.json()) == IN_ORDER[:3]
    # A filter that matches nothing does not make the scan longer.
    nobody = api.get(f"{application}/messages/search", query="needle", sender="nobody")
    assert_problem(nobody, 503)


@pytest.mark.both
def test_the_database_reads_on_from_the_last_row(
    api: Api, application: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Matcher, "step", 2)

    first = search(api, application, limit=5).json()
    second = api.get(first["next"]).json()

    assert found(first) + found(second) == IN_ORDER
    assert found(api.get(second["previous"]).json()) == found(first)
