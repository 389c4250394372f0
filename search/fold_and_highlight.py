"""Folding, and the highlighted body of a hit: HTML, each match between <mark> tags.

Folded text is text as search compares it: a message is a hit exactly if its folded body contains
the folded query. Case and canonically equivalent forms (NFC, NFD) are alike. A *whole character* is
a character with the combining marks that follow it, or a Hangul syllable; a hit never cuts one.

Work and output are bounded, because a page may hold 200 bodies of 16 KiB that consist of matches:
adjacent matches share one mark, a body has at most MAX_MARKS marks, and a highlight that would
exceed MAX_BYTES is cut to an excerpt around the first match.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from itertools import accumulate, groupby, islice
from typing import NamedTuple
from unicodedata import combining, decomposition, normalize

import orjson

#: Raise it when `fold` or the documents of the index change. Indexes of another format are not
#: searched; the search worker replaces them.
FORMAT = 2

#: Matches after the last mark are shown unmarked.
MAX_MARKS = 100
#: Bytes of a highlight in JSON: twice the longest body, so ordinary text is shown whole.
MAX_BYTES = 32 * 1024
#: Characters in an excerpt, and how many of them come before the first match.
EXCERPT = 1000
BEFORE = 200

#: Characters folded at a time.
_BLOCK = 256

#: Added to a character to show that it belongs to a marked one. Characters of the planes 0 to 3 and
#: 14 to 16 get code points of the planes 4 to 10, which Unicode has not assigned.
_UP, _DOWN = 0x40000, 0x60000
_LAST_LOW, _FIRST_HIGH = 0x3FFFF, 0xE0000
#: Stands for the base of marks that begin a text: a surrogate, which no text contains.
_NO_BASE = "\ud800"
#: Marks in a row that are put in order: more occur in no language (Unicode's Annex 15, stream-safe
#: text), and the time for that rises with the square of their number. Further marks belong to a
#: joiner, which begins another character.
_MOST_MARKS = 30
_JOINER = "\u034f"
#: The marks of Unicode lie between these code points.
_BEFORE_MARKS, _BEHIND_LOW_MARKS, _BEHIND_MARKS = 0x300, 0x10000, 0x1F000
_HIGH_MARKS = re.compile("[\U00010000-\U0001efff]")
_HANGUL_VOWELS_AND_FINALS = {*range(0x1161, 0x1176), *range(0x11A8, 0x11C3)}


class Range(NamedTuple):
    """Characters from `start` up to, not including, `end`."""

    start: int
    end: int


def fold(text: str) -> str:
    """Text as search compares it: upper and lower case are alike, and so are NFC and NFD.

    Unicode's full case folding of the composed text, composed again (The Unicode Standard, section
    3.13, canonical caseless matching). Where marks remain beside their base, the base and the last
    mark become other code points. So "x" is no part of "x" with an accent, and neither is "x" with
    one accent a part of "x" with two. The folded text of a body contains the folded text of each of
    its parts that does not cut a whole character.
    """
    return _bound(_composed(text))


class FoldedQuery:
    """A query, to be looked for in many bodies."""

    def __init__(self, query: str) -> None:
        self._composed = _composed(query)
        self._folded = _bound(self._composed)

    def is_in(self, body: str) -> bool:
        """Whether the folded body contains the folded query.

        Most bodies are decided before their marks are looked at, which takes longer.
        """
        composed = _composed(body)
        return self._composed in composed and self._folded in _bound(composed)


def _composed(text: str) -> str:
    """The text without case, in NFC."""
    if text.isascii():
        return text.lower()
    tables = _tables_for(text)
    if tables.marks.search(text):
        text = tables.full_run.sub(f"\\g<0>{_JOINER}", text)
    return normalize("NFC", normalize("NFC", text).casefold())


def _bound(text: str) -> str:
    """The text with each base and its last mark as code points that match nothing else."""
    if text.isascii():
        return text
    pieces: list[str] = []
    position = 0
    for marks in _tables_for(text).marks.finditer(text):
        start, end = marks.span()
        base = text[start - 1] if start else _NO_BASE
        pieces += (text[position : max(start - 1, 0)], _shifted(base))
        pieces += (text[start : end - 1], _shifted(text[end - 1]))
        position = end
    return "".join((*pieces, text[position:])) if pieces else text


def _shifted(character: str) -> str:
    code = ord(character)
    if code <= _LAST_LOW:
        return chr(code + _UP)
    return chr(code - _DOWN) if code >= _FIRST_HIGH else character


@dataclass(frozen=True)
class _Tables:
    """Patterns made from Unicode's tables.

    `marks` finds adjacent marks, `full_run` _MOST_MARKS before another one, `joining` what may
    belong to the character before it. `character` is a whole character, `block` about _BLOCK
    characters that are whole.
    """

    marks: re.Pattern[str]
    full_run: re.Pattern[str]
    joining: re.Pattern[str]
    character: re.Pattern[str]
    block: re.Pattern[str]


def _tables_for(text: str) -> _Tables:
    """Patterns of 16-bit characters are ten times as fast, and few texts have other marks."""
    return _tables(_BEHIND_MARKS if _HIGH_MARKS.search(text) else _BEHIND_LOW_MARKS)


@cache
def _tables(end: int) -> _Tables:
    """The tables of characters below `end`; made at first use, in some 50 ms."""
    marks = {code for code in range(_BEFORE_MARKS, end) if combining(chr(code))}
    mark, joining = _one_of(marks), _one_of(marks | _composing(end))
    return _Tables(
        marks=re.compile(f"{mark}+"),
        full_run=re.compile(f"{mark}{{{_MOST_MARKS}}}(?={mark})"),
        joining=re.compile(joining),
        character=re.compile(f".{joining}*", re.DOTALL),
        block=re.compile(f".{{1,{_BLOCK}}}{joining}*", re.DOTALL),
    )


def _composing(end: int) -> set[int]:
    """The characters that may become one with the character before them."""
    pairs = (decomposition(chr(code)).split() for code in range(end))
    seconds = {int(pair[1], 16) for pair in pairs if len(pair) == 2 and pair[0][0] != "<"}
    return seconds | _HANGUL_VOWELS_AND_FINALS


def _one_of(codes: set[int]) -> str:
    """A character class of a regular expression."""
    runs = groupby(enumerate(sorted(codes)), key=lambda one: one[1] - one[0])
    ranges = [[code for _, code in run] for _, run in runs]
    return "[" + "".join(f"\\U{run[0]:08x}-\\U{run[-1]:08x}" for run in ranges) + "]"


def highlight(body: str, query: str) -> str:
    """The body with its matches marked, left to right without overlap; an excerpt if long."""
    matches = list(islice(_matches(body, fold(query)), MAX_MARKS))
    whole = _marked(body, matches, Range(0, len(body)))
    if len(orjson.dumps(whole)) <= MAX_BYTES:
        return whole
    start = max(matches[0].start - BEFORE, 0) if matches else 0
    excerpt = Range(start, min(start + EXCERPT, len(body)))
    before, after = "…" if start else "", "…" if excerpt.end < len(body) else ""
    return before + _marked(body, matches, excerpt) + after


def _marked(body: str, matches: Iterable[Range], excerpt: Range) -> str:
    """This part of the body as HTML."""
    pieces: list[str] = []
    position, last = excerpt
    for start, match_end in matches:
        if start >= last:
            break
        end = min(match_end, last)
        pieces += (escape(body[position:start]), "<mark>", escape(body[start:end]), "</mark>")
        position = end
    return "".join((*pieces, escape(body[position:last])))


def _matches(body: str, folded_query: str) -> Iterator[Range]:
    """The ranges of `body` that match, ascending; adjacent and overlapping ones are joined.

    Characters are marked whole, as they are in the body.
    """
    folded = fold(body)
    places = _places(body)
    pending: Range | None = None
    for run in _runs(folded, folded_query):
        found = places.in_body(run)
        if pending and found.start <= pending.end:
            pending = Range(pending.start, found.end)
            continue
        if pending:
            yield pending
        pending = found
    if pending:
        yield pending


def _runs(folded: str, query: str) -> Iterator[Range]:
    """The ranges of the folded text that consist of the query, once or repeated without a gap."""
    start = folded.find(query)
    while start >= 0:
        end = _end_of_repeats(folded, query, start + len(query))
        yield Range(start, end)
        start = folded.find(query, end)


def _end_of_repeats(folded: str, query: str, start: int) -> int:
    """The end of the repetitions of the query that begin at `start`; n of them take log n steps."""
    repeats = [query]
    while folded.startswith(repeats[-1], start):
        start += len(repeats[-1])
        repeats.append(repeats[-1] * 2)
    for block in reversed(repeats[:-1]):
        if folded.startswith(block, start):
            start += len(block)
    return start


@dataclass(frozen=True)
class _Places:
    """Where each whole character of a body lies.

    `starts` are its positions in the body, and the body's length; `ends` are the positions in the
    folded text at which its fold ends.
    """

    starts: Sequence[int]
    ends: Sequence[int]

    def in_body(self, folded: Range) -> Range:
        """The characters whose folds this range touches."""
        first = bisect_right(self.ends, folded.start)
        last = bisect_right(self.ends, folded.end - 1)
        return Range(self.starts[first], self.starts[last + 1])


def _places(body: str) -> _Places:
    if body.isascii():
        return _Places(range(len(body) + 1), range(1, len(body) + 1))
    tables = _tables_for(body)
    starts, ends = [0], [0]
    # In most blocks each character folds to one.
    for block in tables.block.findall(body):
        if len(fold(block)) == len(block) and not tables.joining.search(block):
            starts += range(starts[-1] + 1, starts[-1] + len(block) + 1)
            ends += range(ends[-1] + 1, ends[-1] + len(block) + 1)
            continue
        characters = tables.character.findall(block)
        folded = {each: len(fold(each)) for each in set(characters)}
        starts += islice(accumulate(map(len, characters), initial=starts[-1]), 1, None)
        ends += islice(accumulate(map(folded.__getitem__, characters), initial=ends[-1]), 1, None)
    return _Places(starts, ends[1:])
