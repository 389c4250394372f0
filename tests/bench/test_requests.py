"""The requests that benchmarks send and the responses they expect, checked without timing."""

import pytest

from bench.reads import PAGE, pages_of
from bench.report import short
from bench.texts import EXISTING, mixture
from bench.wrk import Request, request_file


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
    requests = [Request("GET", "/a?b=1"), Request("POST", "", {"body": "tab\tand\nline"})]

    with request_file(requests) as path:
        lines = path.read_text().split("\n")

    assert lines == ["GET\t/a?b=1\t", 'POST\t\t{"body": "tab\\tand\\nline"}']


def test_a_mixture_has_every_kind_and_is_the_same_each_time() -> None:
    requests = mixture("/messages")
    reads = [request.path for request in requests if request.method == "GET"]

    assert requests == mixture("/messages")
    assert any(request.method == "POST" and request.body for request in requests)
    assert any("/search?query=" in path for path in reads)
    assert any("?after=" in path for path in reads)
    assert {f"/messages/{number}" for number in range(1, EXISTING + 1)} & set(reads)
    assert not any(set(path) & set(" \t\n") for path in reads)
