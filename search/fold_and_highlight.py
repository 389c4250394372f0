"""Case folding, and the highlighted body of a hit: HTML, each match between <mark> tags.

Work and output are bounded, because a page may hold 200 bodies of 16 KiB that consist of matches:
adjacent matches share one mark, a body has at most MAX_MARKS marks, and a highlight that would
exceed MAX_BYTES is cut to an excerpt around the first match.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import accumulate, islice
from typing import NamedTuple

import orjson

#: Matches after the last mark are shown unmarked.
MAX_MARKS = 100
#: Bytes of a highlight in JSON: twice the longest body, so ordinary text is shown whole.
MAX_BYTES = 32 * 1024
#: Characters in an excerpt, and how many of them come before the first match.
EXCERPT = 1000
BEFORE = 200

#: Characters folded at a time.
_BLOCK = 256


class Range(NamedTuple):
    """Characters from `start` up to, not including, `end`."""

    start: int
    end: int


def fold(text: str) -> str:
    """Text as search compares it: upper and lower case are alike, nothing else changes.

    Unicode's full case folding, character by character (The Unicode Standard, section 3.13,
    toCasefold), so that fold(a + b) == fold(a) + fold(b).
    """
    return text.casefold()


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

    A character that folds to several characters is marked whole.
    """
    folded = fold(body)
    ends = _ends(body, folded)
    pending: Range | None = None
    for run in _runs(folded, folded_query):
        found = Range(bisect_right(ends, run.start), bisect_right(ends, run.end - 1) + 1)
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


def _ends(body: str, folded: str) -> Sequence[int]:
    """For each character of the body, the position in the folded text at which its fold ends."""
    if len(folded) == len(body):  # folding never shortens a text, so each character has one
        return range(1, len(body) + 1)
    ends: list[int] = []
    last = 0
    # Few characters fold to several, so most blocks have one for one.
    for block in (body[start : start + _BLOCK] for start in range(0, len(body), _BLOCK)):
        if len(fold(block)) == len(block):
            ends += range(last + 1, last + len(block) + 1)
        else:
            ends += islice(accumulate(map(len, map(fold, block)), initial=last), 1, None)
        last = ends[-1]
    return ends
