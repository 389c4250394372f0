"""Keyset pages: window, links, and each row exactly once over all pages."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from messages_app.models import Message
from tests.api.client import Api
from tests.api.problems import assert_problem


def shown(page: dict[str, Any]) -> list[int]:
    return [item["message_number"] for item in page["results"]]


def walk(api: Api, page: dict[str, Any], link: str) -> list[list[int]]:
    """The pages reached by following one kind of link, each as its numbers."""
    pages = []
    while page[link]:
        page = api.get(page[link]).json()
        pages.append(shown(page))
    return pages


@pytest.fixture
def chat(api: Api) -> str:
    """A chat with the messages 1 to 10."""
    chat = api.new_chat()
    api.say(chat, *(f"message {number}" for number in range(1, 11)))
    return chat


@pytest.mark.both
@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ({}, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        ({"limit": 3}, [1, 2, 3]),
        ({"limit": 3, "after": 4}, [5, 6, 7]),
        ({"limit": 3, "before": 4}, [1, 2, 3]),
        ({"limit": 2, "after": 3, "before": 9}, [4, 5]),
        ({"limit": 3, "order": "desc"}, [10, 9, 8]),
        ({"limit": 3, "order": "desc", "before": 4}, [3, 2, 1]),
        ({"limit": 2, "order": "desc", "after": 3, "before": 9}, [8, 7]),
        ({"after": 0, "limit": 1}, [1]),
        ({"before": 0}, []),
        ({"after": 10}, []),
        ({"after": 2**63 - 1}, []),
        ({"after": 5, "before": 5}, []),
        ({"before": 2**63 - 1, "order": "desc", "limit": 1}, [10]),
    ],
)
def test_a_page_shows_the_first_numbers_of_its_window(
    api: Api, chat: str, query: dict[str, Any], numbers: list[int]
) -> None:
    assert shown(api.get(f"{chat}/messages", **query).json()) == numbers


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (name, value)
        for name in ("limit", "after", "before")
        for value in ("", "x", "-1", "1.0", "+1", " 1", "01", "٣", "9" * 400, str(2**63), "1e2")
    ]
    + [("limit", "0"), ("limit", "201"), ("order", "up"), ("order", ""), ("order", "ASC")],
)
def test_a_window_out_of_range_is_refused(api: Api, chat: str, name: str, value: str) -> None:
    for path in (f"{chat}/messages", f"{chat}/messages/search?query=m"):
        problem = assert_problem(api.client.get(f"/api/v1{path}", {name: value, "query": "m"}), 400)
        assert [error["field"] for error in problem["errors"]] == [name]


@pytest.mark.parametrize(
    "query_string", ["%FF=1", "limit=%FF", "\xff=1", "a=1&" * 200, "a=1&" * 2000]
)
def test_a_query_string_that_is_no_text_is_refused(api: Api, chat: str, query_string: str) -> None:
    assert_problem(api.client.get(f"/api/v1{chat}/messages", QUERY_STRING=query_string), 400)


@pytest.mark.both
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_links_walk_forth_and_back_over_the_same_pages(api: Api, chat: str, order: str) -> None:
    first = api.get(f"{chat}/messages", limit=3, order=order).json()
    assert first["previous"] is None

    forth = [shown(first), *walk(api, first, "next")]
    numbers = list(range(1, 11))[:: 1 if order == "asc" else -1]
    assert forth == [numbers[0:3], numbers[3:6], numbers[6:9], numbers[9:]]

    near = "after" if order == "asc" else "before"
    last = api.get(f"{chat}/messages", limit=3, order=order, **{near: numbers[8]}).json()
    assert last["next"] is None
    assert [*reversed(walk(api, last, "previous")), shown(last)] == forth


@pytest.mark.both
def test_a_link_keeps_the_other_bound(api: Api, chat: str) -> None:
    page = api.get(f"{chat}/messages", limit=2, before=6).json()

    assert walk(api, page, "next") == [[3, 4], [5]]


@pytest.fixture
def sparse_chat(api: Api) -> Callable[[set[int]], str]:
    """A chat that holds just these numbers, as after a skip or a purge."""
    chat = api.new_chat()
    token = chat.split("/")[2]

    def fill(numbers: set[int]) -> str:
        Message.objects.all().delete()
        now = "2026-01-01T00:00:00Z"
        Message.objects.bulk_create(
            Message(
                application_token=token,
                chat_number=1,
                message_number=number,
                body=f"message {number}",
                created_at=now,
                updated_at=now,
            )
            for number in numbers
        )
        return chat

    return fill


@pytest.mark.both
@given(
    numbers=st.sets(st.integers(1, 60), max_size=30),
    start=st.integers(0, 61),
    limit=st.integers(1, 7),
    order=st.sampled_from(["asc", "desc"]),
    search=st.booleans(),
)
@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_from_any_page_the_links_reach_every_number_once(
    api: Api,
    sparse_chat: Callable[[set[int]], str],
    numbers: set[int],
    start: int,
    limit: int,
    order: str,
    search: bool,
) -> None:
    chat = sparse_chat(numbers)
    path = f"{chat}/messages/search?query=MESSAGE" if search else f"{chat}/messages?"
    near = "after" if order == "asc" else "before"
    page = api.get(f"http://testserver/api/v1{path}&limit={limit}&order={order}&{near}={start}")

    forth, back = (walk(api, page.json(), link) for link in ("next", "previous"))

    pages = [*reversed(back), shown(page.json()), *forth]
    in_order = sorted(numbers, reverse=order == "desc")
    assert [number for numbers_shown in pages for number in numbers_shown] == in_order


@pytest.mark.both
def test_applications_are_listed_newest_first_by_an_opaque_cursor(api: Api) -> None:
    tokens = [api.new_application(f"application {n}").rpartition("/")[2] for n in range(7)][::-1]

    def tokens_of(page: dict[str, Any]) -> list[str]:
        return [item["token"] for item in page["results"]]

    pages = [api.get("/applications", limit=3).json()]
    assert pages[0]["previous"] is None
    while pages[-1]["next"]:
        pages.append(api.get(pages[-1]["next"]).json())
    assert [tokens_of(page) for page in pages] == [tokens[:3], tokens[3:6], tokens[6:]]
    assert api.get(pages[2]["previous"]).json()["results"] == pages[1]["results"]
    assert api.get(pages[1]["previous"]).json()["results"] == pages[0]["results"]


@pytest.mark.parametrize("cursor", ["", "x", "é", "MQ", "A" * 5000, "YmVmb3JlOjA", "\0"])
def test_a_cursor_of_someones_own_making_is_refused(api: Api, cursor: str) -> None:
    assert_problem(api.get("/applications", cursor=cursor), 400)
