"""The requests that benchmarks send and the responses they expect, checked without timing."""

from base64 import b64decode
from urllib.parse import unquote

import pytest

from bench import texts
from bench.product import Chat
from bench.reads import pages_of
from bench.report import short
from bench.routes import DIFFERENT_TEXTS, MIX, PAGE, Asker
from bench.wrk import Request, request_file

CHATS = [Chat("a" * 24, 1, "one"), Chat("b" * 24, 2, "two")]


@pytest.mark.parametrize(
    ("number", "name"),
    [(1, "1"), (999, "999"), (1000, "1k"), (1500, "1500"), (20_000, "20k"), (1_000_000, "1m")],
)
def test_numbers_are_shortened_where_nothing_is_lost(number: int, name: str) -> None:
    assert short(number) == name


def test_every_page_is_full_and_within_the_chat() -> None:
    for page in pages_of(1_000_000):
        assert len(page.numbers) == PAGE
        assert {page.numbers[0], page.numbers[-1]} <= set(range(1, 1_000_001))


def test_pages_lie_on_both_sides_of_each_place_and_at_the_end_of_the_chat() -> None:
    asked = {page.name: page for page in pages_of(20_000)}

    assert list(asked["list_page1_ms"].numbers) == list(range(1, 51))
    assert asked["list_page_at_10k_ms"].query == "?after=9999"
    assert asked["list_page_desc_at_10k_ms"].query == "?order=desc&before=10050"
    assert asked["list_page_at_20k_ms"].numbers[-1] == 20_000
    assert "list_page_at_100k_ms" not in asked


def test_requests_are_written_one_a_line_whatever_their_bodies_hold() -> None:
    requests = [
        Request("GET", "/a?b=1", header='If-None-Match: "1"'),
        Request("POST", "", {"body": "tab\tand\nline"}),
    ]

    with request_file(requests) as path:
        lines = path.read_text().split("\n")

    assert lines == [
        'GET\t/a?b=1\tIf-None-Match: "1"\t',
        'POST\t\t\t{"body": "tab\\tand\\nline"}',
    ]


def test_a_mix_has_every_route_by_its_share_and_is_the_same_each_time() -> None:
    requests = Asker(CHATS, 1000).mix(1000)
    creates = [one for one in requests if one.method == "POST"]
    edits = [one for one in requests if one.method == "PATCH"]
    searches = [one for one in requests if "/search?query=" in one.path]

    assert requests == Asker(CHATS, 1000).mix(1000)
    assert sum(MIX.values()) == 100
    assert len(creates) == 10 * MIX["create"]
    assert len(edits) == 10 * MIX["edit"]
    assert len(searches) == 10 * MIX["search"]
    assert len([one for one in requests if one.path.endswith("?order=desc")]) == 10 * MIX["newest"]
    assert not any(set(one.path) & set(" \t\n") for one in requests)


def test_each_request_has_the_key_of_its_application() -> None:
    requests = Asker(CHATS, 1000, with_keys=True).mix(100)

    for chat in CHATS:
        headers = {one.header for one in requests if chat.token in one.path}
        assert headers == {f"Authorization: Bearer {chat.key}"}


def test_the_stock_designs_get_the_same_pages_by_their_own_parameters() -> None:
    ours, stock = Asker(CHATS, 1000), Asker(CHATS, 1000, is_stock=True)
    pages = list(zip(ours.requests("page", 100), stock.requests("page", 100), strict=True))

    for our_page, stock_page in pages:
        _, _, after = our_page.path.partition("?after=")
        _, _, cursor = stock_page.path.partition("?cursor=")
        assert b64decode(unquote(cursor)).decode() == f"p={after}"
        assert int(after) <= 1000 - PAGE
    assert ours.requests("item", 9) == stock.requests("item", 9)


def test_each_searched_text_fills_a_page_of_a_chat() -> None:
    bodies = texts.bodies(DIFFERENT_TEXTS)
    searched = texts.searched(bodies)

    assert len(searched) > 50
    assert all(sum(text in body for body in bodies) >= PAGE for text in searched)
