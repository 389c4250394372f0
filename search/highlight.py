"""Where a query was found, shown in the body: escaped for HTML, each hit between <mark> tags.

The work and the answer are bounded, because a page may hold 200 bodies of 16 KiB that consist of
hits: hits without anything between them are one mark, a body has at most MAX_MARKS, and a highlight
that would grow beyond MAX_BYTES shows the part of the body around its first hit.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import accumulate, islice

import orjson

from ingest.text_rules import fold

#: What follows the last of them is shown unmarked.
MAX_MARKS = 100
#: Of a highlight in JSON: twice the longest body, so what people write is shown whole.
MAX_BYTES = 32 * 1024
#: Characters that an excerpt shows, and of these before the first hit.
EXCERPT = 1000
BEFORE = 200

#: Characters that are folded at once.
_BLOCK = 256

Range = tuple[int, int]


def highlight(body: str, query: str) -> str:
    """The body with the hits marked, without overlap, from the left; of a long one an excerpt."""
    hits = list(islice(_hits(body, fold(query)), MAX_MARKS))
    whole = _marked(body, hits, (0, len(body)))
    if len(orjson.dumps(whole)) <= MAX_BYTES:
        return whole
    first = max(hits[0][0] - BEFORE, 0) if hits else 0
    last = min(first + EXCERPT, len(body))
    before, behind = "…" if first else "", "…" if last < len(body) else ""
    return before + _marked(body, hits, (first, last)) + behind


def _marked(body: str, hits: Iterable[Range], shown: Range) -> str:
    """This part of the body."""
    pieces: list[str] = []
    position, last = shown
    for start, hit_end in hits:
        if start >= last:
            break
        end = min(hit_end, last)
        pieces += (escape(body[position:start]), "<mark>", escape(body[start:end]), "</mark>")
        position = end
    return "".join((*pieces, escape(body[position:last])))


def _hits(body: str, folded_query: str) -> Iterator[Range]:
    """Ranges of `body` in their order, with something between each two.

    A character that folds to several is marked whole.
    """
    folded = fold(body)
    ends = _ends(body, folded)
    pending: Range | None = None
    for first, behind in _runs(folded, folded_query):
        start, end = bisect_right(ends, first), bisect_right(ends, behind - 1) + 1
        if pending and start <= pending[1]:
            pending = pending[0], end
            continue
        if pending:
            yield pending
        pending = start, end
    if pending:
        yield pending


def _runs(folded: str, query: str) -> Iterator[Range]:
    """Where the query stands in the folded text, once or several times without a gap."""
    first = folded.find(query)
    while first >= 0:
        behind = _behind_repeats(folded, query, first + len(query))
        yield first, behind
        first = folded.find(query, behind)


def _behind_repeats(folded: str, query: str, start: int) -> int:
    """Where the repeats of the query from `start` on end: n of them take log n steps."""
    repeats = [query]
    while folded.startswith(repeats[-1], start):
        start += len(repeats[-1])
        repeats.append(repeats[-1] * 2)
    for block in reversed(repeats[:-1]):
        if folded.startswith(block, start):
            start += len(block)
    return start


def _ends(body: str, folded: str) -> Sequence[int]:
    """For each character of the body, where what it folds to ends in the folded text."""
    if len(folded) == len(body):  # folding never shortens, so it is one to one
        return range(1, len(body) + 1)
    ends: list[int] = []
    last = 0
    # Few characters grow, so most blocks are one to one.
    for block in (body[start : start + _BLOCK] for start in range(0, len(body), _BLOCK)):
        if len(fold(block)) == len(block):
            ends += range(last + 1, last + len(block) + 1)
        else:
            ends += islice(accumulate(map(len, map(fold, block)), initial=last), 1, None)
        last = ends[-1]
    return ends
