"""Where a query was found, shown in the body: escaped for HTML, each hit between <mark> tags."""

from collections.abc import Iterator
from html import escape

from core.text import fold


def highlight(body: str, query: str) -> str:
    """The body with the hits marked, without overlap, from the left."""
    pieces: list[str] = []
    position = 0
    for start, end in _hits(body, fold(query)):
        pieces += (escape(body[position:start]), "<mark>", escape(body[start:end]), "</mark>")
        position = end
    return "".join((*pieces, escape(body[position:])))


def _hits(body: str, folded_query: str) -> Iterator[tuple[int, int]]:
    """Ranges of `body`; a character that folds to several is marked whole."""
    folded = fold(body)
    origin = _origins(body, folded)
    end = 0
    found = folded.find(folded_query)
    while found >= 0:
        last = found + len(folded_query)
        start = origin[found]
        if start >= end:
            end = origin[last - 1] + 1
            yield start, end
        found = folded.find(folded_query, last)


def _origins(body: str, folded: str) -> "range | list[int]":
    """For each character of the folded text, the index of the one it came from."""
    if len(folded) == len(body):  # folding never shortens, so it is one to one
        return range(len(body))
    return [index for index, character in enumerate(body) for _ in fold(character)]
