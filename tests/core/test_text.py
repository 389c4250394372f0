"""The rules of names and bodies, beyond what the API's tests show."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Invalid
from core.text import MAX_BODY_BYTES, clean_body, clean_name, fold


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


@pytest.mark.parametrize("half", ["\ud800", "a\udfffb"])
def test_half_a_character_is_refused(half: str) -> None:
    for clean in (clean_body, clean_name):
        with pytest.raises(Invalid, match="half a character"):
            clean(half)


@given(st.text(), st.text())
def test_folding_a_whole_is_folding_its_parts(left: str, right: str) -> None:
    assert fold(left + right) == fold(left) + fold(right)
