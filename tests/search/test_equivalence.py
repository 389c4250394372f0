"""Canonically equivalent texts are alike, and no hit cuts a base from its combining marks."""

import random
import re
from collections.abc import Sequence
from itertools import product
from time import process_time
from typing import Literal
from unicodedata import combining, normalize

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from search.fold_and_highlight import FoldedQuery, fold, highlight
from tests.api.client import Api
from tests.api.test_paging import shown
from tests.search.conftest import Settle

FORMS: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")

#: Query, body, and whether it is a hit, in every form of both.
CASES = [
    ("café", "Le CAFÉ ici", True),
    ("cafe", "Le Café ici", False),
    ("ecole", "école", False),
    ("é", "e", False),
    ("cafe", "café, cafe x", True),
    ("cafe ", "café cafe", False),
    ("테스트", "한국어 테스트입니다", True),
    ("트입", "테스트입니다", True),
    ("테스", "테슷", False),
    ("ㅌ", "테", False),
    ("가", "각", False),
    ("\u1100", "가", False),
    ("\u1161", "가", False),
    ("ガンダム", "機動戦士ガンダム", True),
    ("カンダム", "機動戦士ガンダム", False),
    ("か", "が", False),
    ("ハ", "パ", False),
    ("x\u0301", "ax\u0301b", True),
    ("x", "ax\u0301b", False),
    ("ax", "ax\u0301b", False),
    ("b", "ax\u0301b", True),
    ("x\u0301", "x\u0301\u0302", False),
    ("x\u0302", "x\u0301\u0302", False),
    ("x\u0323\u0301", "x\u0301\u0323", True),
    ("\u0301", "e\u0301x\u0301", False),
    ("\u0301e", "\u0301e", True),
    ("\u0301", "\u0301e", True),
    ("i", "İstanbul", False),
    ("i\u0307", "İstanbul", True),
    ("Å", "\u212bngström", True),
    ("ệ", "e\u0302\u0323", True),
    ("ê", "ệ", False),
    ("क़", "क\u093c", True),
    ("क", "क\u093c", False),
    ("क", "कि", True),
    ("\u09cb", "\u09c7\u09be", True),
    ("\u09c7", "\u09c7\u09be", False),
    ("ᾳ", "ΑΙ", True),
    ("❤", "❤\ufe0f", True),
]


@pytest.mark.parametrize(("query", "body", "is_hit"), CASES)
def test_forms_are_alike_and_accents_are_not(query: str, body: str, is_hit: bool) -> None:
    for query_form, body_form in product(FORMS, FORMS):
        text = normalize(body_form, body)
        found = highlight(text, normalize(query_form, query))

        assert (fold(normalize(query_form, query)) in fold(text)) == is_hit
        assert ("<mark>" in found) == is_hit
        assert re.sub("</?mark>", "", found) == text


@pytest.mark.both
def test_both_backends_decide_so(api: Api, settle: Settle) -> None:
    chat = api.new_chat()
    numbers = {
        (body, form): api.say(chat, normalize(form, body))[0]
        for body, form in product(dict.fromkeys(body for _, body, _ in CASES), FORMS)
    }
    backend = settle()

    for query, body, is_hit in CASES:
        for form in FORMS:
            answer = api.get(f"{chat}/messages/search", query=normalize(form, query), limit=200)
            found = shown(answer.json())
            assert answer["Search-Backend"] == backend
            for body_form in FORMS:
                assert (numbers[body, body_form] in found) == is_hit, (query, body, form, body_form)


@pytest.mark.parametrize(
    ("body", "query", "marked"),
    [
        ("un cafe\u0301!", "café", "un <mark>cafe\u0301</mark>!"),
        ("un café!", "cafe\u0301", "un <mark>café</mark>!"),
        (normalize("NFD", "각나다"), "나", normalize("NFD", "각<mark>나</mark>다")),
        (normalize("NFD", "ガンダム"), "ガ", normalize("NFD", "<mark>ガ</mark>ンダム")),
        ("e\u0301e\u0301e", "é", "<mark>e\u0301e\u0301</mark>e"),
        ("\u212b 1", "å", "<mark>\u212b</mark> 1"),
        ("ü" * 300 + "x\u0301" * 300 + "y", "y", "ü" * 300 + "x\u0301" * 300 + "<mark>y</mark>"),
    ],
)
def test_marks_enclose_whole_characters_as_they_were_written(
    body: str, query: str, marked: str
) -> None:
    assert highlight(body, query) == marked


#: Bases and marks that compose, and some that do not; characters that fold to several.
LETTERS = (
    "aAeEéÉßxX\u0301\u0302\u0323\u0345\u0308ᾳΑαΐİıfiガか\u3099각가\u1100\u1161\u11a8\u09c7\u09be"
    "\u0344\ufb2c\U0001d15e\U0001d165\n क\u093c\u0958Å\u212b\ufe0f\u200d\U000f0000"
)
texts = st.text(LETTERS, min_size=1, max_size=12)


def whole_characters(text: str) -> list[str]:
    """The characters of the composed text without case, each with its marks."""
    composed = normalize("NFC", normalize("NFC", text).casefold())
    characters: list[str] = []
    for character in composed:
        if not combining(character):
            characters.append(character)
        elif characters:
            characters[-1] += character
        else:
            characters.append(f"no base{character}")
    return characters


def is_part(part: Sequence[str], whole: Sequence[str]) -> bool:
    starts = range(len(whole) - len(part) + 1)
    return any(whole[start : start + len(part)] == part for start in starts)


@hypothesis_settings(deadline=None)  # the first example makes Unicode's tables
@given(body=texts, query=texts, start=st.integers(0, 11), length=st.integers(1, 4))
def test_a_hit_is_a_run_of_whole_characters(body: str, query: str, start: int, length: int) -> None:
    for each in (query[:2], body[start : start + length] or body):
        is_hit = is_part(whole_characters(each), whole_characters(body))
        for query_form, body_form in product(FORMS, FORMS):
            text = normalize(body_form, body)
            assert (fold(normalize(query_form, each)) in fold(text)) == is_hit
            assert FoldedQuery(normalize(query_form, each)).is_in(text) == is_hit
            assert ("<mark>" in highlight(text, normalize(query_form, each))) == is_hit


def test_a_text_of_any_characters_is_folded_to_text() -> None:
    source = random.Random(3)
    codes = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]

    for code in source.sample(codes, 20_000):
        for text in (chr(code), f"{chr(code)}\u0301", f"\u0301{chr(code)}"):
            assert fold(text).encode()
            assert fold(normalize("NFD", text)) == fold(text)


def test_the_work_is_linear_in_the_number_of_marks() -> None:
    """Ordering many marks would take half a second for each body."""
    body = "a" + "\u0360" * 4000 + "\u0334" * 4000
    before = process_time()

    for _ in range(20):
        assert "<mark>" not in highlight(body, "a")

    assert process_time() - before < 2
