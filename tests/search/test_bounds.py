"""The cost of a search is bounded whatever a chat holds, and its results stay correct."""

import re
from html import unescape

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from ingest.fields import MAX_BODY_BYTES
from search import service
from search.fold_and_highlight import MAX_BYTES, MAX_MARKS, fold, highlight
from tests.api.client import Api
from tests.api.problems import assert_problem
from tests.api.test_paging import shown, walk

QUOTES = '"' * MAX_BODY_BYTES

PROSE = "He said: \"A few kind words & 'a <smile>' — won't hurt.\"\n"


def may_read(settings: Settings, messages: int) -> None:
    update = {"search_scan_messages": messages}
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update=update)


def text_of(highlighted: str) -> str:
    """What a browser would show of it."""
    return unescape(re.sub("</?mark>", "", highlighted))


def test_more_is_read_where_the_database_is_the_only_way(settings: Settings) -> None:
    alone = settings.ENVIRONMENT.model_copy(update={"search_scan_messages": None})

    beside = alone.model_copy(update={"elasticsearch_url": "http://127.0.0.1:1"})
    assert alone.scanned_messages == 100_000
    assert beside.scanned_messages == 20_000


@pytest.mark.both
def test_a_chat_as_large_as_the_bound_is_searched_to_its_end(api: Api, settings: Settings) -> None:
    may_read(settings, 6)
    chat = api.new_chat()
    api.say(chat, *("needle" if number % 2 else "hay" for number in range(6)))

    first = api.get(f"{chat}/messages/search", query="needle", limit=1).json()
    nothing = api.get(f"{chat}/messages/search", query="no such")

    assert [shown(first), *walk(api, first, "next")] == [[6], [4], [2]]
    last = api.get(f"{chat}/messages/search", query="needle", limit=1, before=3).json()
    assert [shown(last), *walk(api, last, "previous")] == [[2], [4], [6]]
    assert (nothing.status_code, shown(nothing.json())) == (200, [])


@pytest.mark.both
def test_a_larger_chat_is_searched_as_far_as_the_bound_goes(api: Api, settings: Settings) -> None:
    may_read(settings, 5)
    chat = api.new_chat()
    api.say(chat, "needle", *["hay"] * 5)

    refused = api.get(f"{chat}/messages/search", query="needle")
    full = api.get(f"{chat}/messages/search", query="hay", limit=3)
    part = api.get(f"{chat}/messages/search", query="needle", before=4)

    assert_problem(refused, 503)
    assert refused["Retry-After"]
    assert (full.status_code, shown(full.json())) == (200, [6, 5, 4])
    # Nothing of what is left to read tells whether there is a page before.
    assert part.status_code == 503


@pytest.mark.both
def test_the_page_before_is_as_long_as_what_may_be_read_for_it(
    api: Api, settings: Settings
) -> None:
    may_read(settings, 6)
    chat = api.new_chat()
    api.say(chat, *("needle" if number in (1, 2, 4, 12) else "hay" for number in range(1, 13)))

    page = api.get(f"{chat}/messages/search", query="needle", limit=2, before=3).json()

    assert shown(page) == [2, 1]
    may_read(settings, 12)
    before = api.get(page["previous"]).json()
    assert shown(before) == [4]
    assert shown(api.get(before["next"]).json())[0] == 2


@pytest.mark.both
def test_long_bodies_count_by_their_length(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MAX_SCANNED_CHARACTERS", 3 * MAX_BODY_BYTES)
    chat = api.new_chat()
    api.say(chat, "needle", *[QUOTES] * 3)

    assert_problem(api.get(f"{chat}/messages/search", query="needle"), 503)
    assert shown(api.get(f"{chat}/messages/search", query='"', limit=2).json()) == [4, 3]


@pytest.mark.parametrize("how_many", [1, 12])
def test_a_page_of_bodies_that_consist_of_hits_is_no_multiple_of_them(
    api: Api, how_many: int
) -> None:
    chat = api.new_chat()
    api.say(chat, *[QUOTES] * how_many)

    answer = api.get(f"{chat}/messages/search", query='"', limit=200)

    results = answer.json()["results"]
    assert [hit["body"] for hit in results] == [QUOTES] * how_many
    assert all("<mark>" in hit["highlight"] for hit in results)
    listed = api.get(f"{chat}/messages", limit=200)
    assert len(answer.content) < 2 * len(listed.content)


@pytest.mark.parametrize(
    ("body", "query"),
    [
        (QUOTES, '"'),
        ('"a' * (MAX_BODY_BYTES // 2), '"'),
        ("&" * 9000 + "needle" + "&" * 7000, "needle"),
        ("\x01" * 16000 + "needle", "needle"),
        ("ß" * (MAX_BODY_BYTES // 2), "s"),
        ("ßa" * (MAX_BODY_BYTES // 3), "a"),
        ("a" * 255 + "b" * 255, "ab"),
        (PROSE * (MAX_BODY_BYTES // len(PROSE.encode())), "e"),
    ],
)
def test_a_highlight_is_bounded_well_formed_and_true(body: str, query: str) -> None:
    found = highlight(body, query)

    assert len(orjson.dumps(found)) <= MAX_BYTES
    marks = re.findall("<mark>(.*?)</mark>", found, re.DOTALL)
    assert 1 <= len(marks) <= MAX_MARKS
    assert all(fold(query) in fold(unescape(mark)) for mark in marks)
    assert text_of(found).removeprefix("…").removesuffix("…") in body
    rest = re.sub("</?mark>|&(amp|lt|gt|quot|#x27);", "", found)
    assert not set(rest) & set("<>&\"'")


def test_what_people_write_is_shown_whole() -> None:
    body = PROSE * (MAX_BODY_BYTES // len(PROSE.encode()))

    assert text_of(highlight(body, "smile")) == body


def test_beyond_the_last_mark_the_body_is_shown_unmarked() -> None:
    body = "a b " * 500

    found = highlight(body, "a")

    assert found.count("<mark>") == MAX_MARKS
    assert text_of(found) == body


def test_hits_without_a_gap_are_one_mark() -> None:
    assert highlight("aaaab aa", "aa") == "<mark>aaaa</mark>b <mark>aa</mark>"
    assert highlight("ßs", "s") == "<mark>ßs</mark>"


texts = st.text("aAbßſﬃ \"<&'é\u0301", min_size=1, max_size=40)


@given(body=texts, query=texts)
def test_marks_stand_where_a_plain_search_finds_the_query(body: str, query: str) -> None:
    found = highlight(body, query)

    assert text_of(found) == body
    assert "</mark><mark>" not in found
    assert ("<mark>" in found) == (fold(query) in fold(body))
