"""The rules for names and bodies that the API's tests do not cover."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.errors import Invalid
from ingest.fields import MAX_BODY_BYTES, clean_body, clean_name


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_a_body_is_taken_as_it_is_or_not_at_all(text: str) -> None:
    try:
        assert clean_body(text) == text
    except Invalid:
        assert text.isspace() or len(text.encode()) > MAX_BODY_BYTES


@given(st.text(min_size=1))
def test_a_clean_name_stays_clean(text: str) -> None:
    try:
        name = clean_name(text)
    except Invalid:
        return
    assert clean_name(name) == name == text.strip()


#: Zero-width space, joiners, byte order mark, soft hyphen, the blanks of Braille and of Hangul, two
#: vowels of Khmer, a separator of Mongolian, variation selectors, tags, directions, controls.
SHOW_NOTHING = [
    *"\u200b\u200c\u200d\u2060\ufeff\u00ad\u2800\u3164\uffa0\u115f\u1160\u17b4\u17b5\u180e",
    *"\ufe0f\U000e0001\U000e0100\u202e\u2069\u034f\x01\x1b\x7f\x85\u2028",
    "\u200b\u2800\u3164",
    " \u200b\t\u00a0\ufeff ",
    "\u200b" * 300,
]
SHOW_SOMETHING = [
    "a\u200b",
    "\u200fא",
    "👩\u200d💻",
    "❤\ufe0f",
    "\u0600",
    "\u0301",
    "\ue000",
    "\u2801",
    "0",
]


@pytest.mark.parametrize("name", SHOW_NOTHING)
def test_a_name_that_shows_nothing_is_blank_and_a_body_is_not(name: str) -> None:
    with pytest.raises(Invalid, match="may not be blank"):
        clean_name(name)
    if not name.isspace():
        assert clean_body(name) == name


@pytest.mark.parametrize("name", SHOW_SOMETHING)
def test_a_name_that_shows_something_is_kept_whole(name: str) -> None:
    assert clean_name(name) == name


def test_formats_that_unicode_adds_are_blank_unless_they_are_signs() -> None:
    """Of category Cf only what stands before numbers, or joins hieroglyphs, is to be seen."""
    shown = {one for one in _of_category("Cf") if _is_name(one)}
    signs = ("ARABIC", "SYRIAC", "KAITHI", "EGYPTIAN")
    assert shown
    assert all(unicodedata.name(one).startswith(signs) for one in shown)


def _of_category(category: str) -> list[str]:
    every = (chr(point) for point in range(0x110000))
    return [one for one in every if unicodedata.category(one) == category]


def _is_name(text: str) -> bool:
    try:
        clean_name(text)
    except Invalid:
        return False
    return True


@pytest.mark.parametrize("half", ["\ud800", "a\udfffb"])
def test_half_a_character_is_refused(half: str) -> None:
    for clean in (clean_body, clean_name):
        with pytest.raises(Invalid, match="half a character"):
            clean(half)
