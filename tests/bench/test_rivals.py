"""The servers that a design is tried on, and its routes."""

import pytest

from bench.rivals.designs import (
    NOOP_DJANGO,
    NOOP_DRF,
    STOCK_ITEM,
    STOCK_MIXED,
    SYNC,
    TEXTBOOK,
    TEXTBOOK_INDEXED,
    Design,
)
from bench.rivals.running import Serving, servings
from tests.bench.rival_process import run_as

RESOLVE = """
import django, sys
django.setup()
from django.urls import resolve
for path in sys.argv[1:]:
    view = resolve(path).func
    print(getattr(view, "view_class", view).__name__)
"""
CHAT = "/api/v1/applications/0123456789abcdef01234567/chats/1"


def test_a_design_with_threads_is_tried_on_both_servers() -> None:
    assert servings(STOCK_ITEM, (8, 32)) == [
        Serving(on_product_server=False, threads=8),
        Serving(on_product_server=False, threads=32),
        Serving(on_product_server=True, threads=8),
        Serving(on_product_server=True, threads=32),
    ]


def test_a_design_that_does_nothing_runs_on_the_event_loop() -> None:
    assert servings(NOOP_DJANGO, (8, 32)) == [Serving(on_product_server=True, threads=0)]


def test_a_short_run_tries_nothing() -> None:
    assert servings(STOCK_ITEM, (16,)) == [Serving(on_product_server=False, threads=16)]


def _views(name: str, *paths: str, has_index: bool) -> list[str]:
    """The views at these addresses."""
    return run_as(name, RESOLVE, *paths, has_index=has_index).split()


@pytest.mark.parametrize(
    ("design", "view"),
    [
        (TEXTBOOK, "Textbook"),
        (TEXTBOOK_INDEXED, "TextbookIndexed"),
        (SYNC, "Sync"),
        (NOOP_DRF, "NoopDrf"),
    ],
    ids=lambda each: str(getattr(each, "name", "")),
)
def test_each_design_that_creates_has_the_address_of_the_product(design: Design, view: str) -> None:
    assert _views(design.name, f"{CHAT}/messages", has_index=design.has_index) == [view]


def test_the_view_that_does_nothing_is_read_too() -> None:
    paths = (f"{CHAT}/messages", f"{CHAT}/messages/7")

    assert _views(NOOP_DJANGO.name, *paths, has_index=False) == ["noop_django"] * 2


def test_the_mixed_design_has_all_routes() -> None:
    paths = (f"{CHAT}/messages", f"{CHAT}/messages/7", f"{CHAT}/messages/search")

    assert _views(STOCK_MIXED.name, *paths, has_index=True) == [
        "StockListAndCreate",
        "StockItemAndEdit",
        "StockSearch",
    ]
