"""What the measurements of reading ask for and fill, before anything is measured."""

from itertools import chain, product
from pathlib import Path

import pytest

from bench.mixture import EXISTING, mixture
from bench.pieces import pieces
from bench.reads.asked import PAGE, pages_of, short
from bench.requests import Request, write_mixed


@pytest.mark.parametrize(
    ("number", "name"),
    [(1, "1"), (999, "999"), (1000, "1k"), (1500, "1500"), (20_000, "20k"), (1_000_000, "1m")],
)
def test_numbers_are_named_shortly_where_nothing_is_lost(number: int, name: str) -> None:
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


def test_requests_are_written_one_a_line_whatever_their_bodies_hold(tmp_path: Path) -> None:
    requests = [Request("GET", "/a?b=1"), Request("POST", "/a", {"body": "tab\tand\nline"})]

    write_mixed(tmp_path / "requests", requests)

    assert (tmp_path / "requests").read_text().split("\n") == [
        "GET\t/a?b=1\t",
        'POST\t/a\t{"body": "tab\\tand\\nline"}',
    ]


def test_a_mixture_has_every_kind_and_is_the_same_each_time() -> None:
    requests = mixture("/messages")
    reads = [request.path for request in requests if request.method == "GET"]

    assert requests == mixture("/messages")
    assert any(request.method == "POST" and request.body for request in requests)
    assert any("/search?query=" in path for path in reads)
    assert any("?after=" in path for path in reads)
    assert {f"/messages/{number}" for number in range(1, EXISTING + 1)} & set(reads)
    assert not any(set(path) & set(" \t\n") for path in reads)


@pytest.mark.parametrize(("chats", "messages"), [(1, 120_000), (7, 20_000), (1003, 50), (2, 1)])
def test_pieces_hold_every_message_once(chats: int, messages: int) -> None:
    found = list(
        chain.from_iterable(
            product(range(chat, last_chat + 1), range(number, last_number + 1))
            for chat, last_chat, number, last_number in pieces(chats, messages)
        )
    )

    assert len(found) == len(set(found)) == chats * messages
    assert max(found) == (chats, messages)
