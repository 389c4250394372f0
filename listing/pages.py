"""Keyset pages: selected by the number of an item, never by an offset.

A page is "the first `limit` numbers n with after < n < before, in this order". Its links describe
the neighbouring pages in the same way. The items come from a `Source` of any backend.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar
from urllib.parse import parse_qsl, urlencode

from django.db.models import Model, QuerySet
from rest_framework.request import Request

from infra.errors import FieldError, Invalid, Malformed
from ingest.read_your_writes import MAX_NUMBER, Window

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
_MAX_PARAMETERS = 100

Item = TypeVar("Item")
Item_co = TypeVar("Item_co", covariant=True)
Row = TypeVar("Row", bound=Model)

_DECIMAL = re.compile(r"(?:0|[1-9][0-9]{0,18})\Z", re.ASCII)


class Source(Protocol[Item_co]):
    """Numbered items that can be read from either end."""

    def items(self, window: Window) -> Sequence[Item_co]:
        """At most `window.limit` items of the window, in its order."""

    def numbers(self, window: Window) -> Sequence[int]:
        """The numbers of the same items; cheaper than `items`."""

    def both(self, window: Window, other: Window) -> tuple[Sequence[Item_co], Sequence[int]]:
        """The items of one window, and the numbers of the other."""
        return self.items(window), self.numbers(other)


@dataclass(frozen=True)
class QuerySetSource(Source[Row]):
    """The rows of a queryset; `number` is the field with their number."""

    rows: "QuerySet[Row]"
    number: str

    def items(self, window: Window) -> Sequence[Row]:
        """One statement."""
        return list(in_window(self.rows, self.number, window))

    def numbers(self, window: Window) -> Sequence[int]:
        """One statement that reads only the number."""
        rows = in_window(self.rows, self.number, window)
        return list(rows.values_list(self.number, flat=True))


def in_window(rows: "QuerySet[Row]", number: str, window: Window) -> "QuerySet[Row]":
    """The rows of the window, in its order."""
    bounds = {f"{number}__gt": window.after, f"{number}__lt": window.before}
    given = {lookup: bound for lookup, bound in bounds.items() if bound is not None}
    order = f"-{number}" if window.descending else number
    return rows.filter(**given).order_by(order)[: window.limit]


def query_parameters(request: Request) -> dict[str, str]:
    """Parse the query string as strictly as a form. Raises Malformed."""
    # WSGI passes bytes as Latin-1 (PEP 3333).
    return parse_urlencoded(request.META.get("QUERY_STRING", "").encode("latin-1"))


def parse_urlencoded(encoded: bytes) -> dict[str, str]:
    """The fields of a form or query string, the last of a repeated one. Raises Malformed."""
    try:
        pairs = parse_qsl(
            encoded.decode(),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MAX_PARAMETERS,
        )
    except ValueError as error:  # UnicodeDecodeError is one
        raise Malformed(f"The form or query string cannot be read: {error}.") from None
    return dict(pairs)


def read_window(parameters: Mapping[str, str], *, descending: bool = False) -> Window:
    """The window from query parameters. Raises Invalid; out-of-range values are never clamped."""
    order = parameters.get("order", "desc" if descending else "asc")
    if order not in ("asc", "desc"):
        raise Invalid(FieldError("order", "invalid", "order must be asc or desc."))
    return Window(
        after=_number(parameters, "after"),
        before=_number(parameters, "before"),
        limit=_limit(parameters),
        descending=order == "desc",
    )


@dataclass(frozen=True)
class Pager(Generic[Item]):
    """Builds pages of one kind of item: its source, number, JSON shape and link parameters."""

    source: Source[Item]
    number_of: Callable[[Item], int]
    represent: Callable[[Item], dict[str, object]]
    as_parameters: Callable[[Mapping[str, int]], Mapping[str, object]] = lambda bounds: bounds

    def page(
        self, request: Request, parameters: Mapping[str, str], window: Window
    ) -> dict[str, object]:
        """The JSON of a page: the items, and the URLs of both neighbours, null at an end."""
        one_more, before = self._read(replace(window, limit=window.limit + 1), _opposite(window))
        items = one_more[: window.limit]
        cursor = "before" if window.descending else "after"
        following = {cursor: self.number_of(items[-1])} if len(one_more) > len(items) else None
        preceding = _preceding(window, before)
        return page_json(
            request,
            parameters,
            [self.represent(item) for item in items],
            None if following is None else self.as_parameters(following),
            None if preceding is None else self.as_parameters(preceding),
        )

    def _read(
        self, window: Window, opposite: Window | None
    ) -> tuple[Sequence[Item], Sequence[int]]:
        if opposite is None:
            return self.source.items(window), ()
        return self.source.both(window, opposite)


def page_json(
    request: Request,
    parameters: Mapping[str, str],
    results: Sequence[Mapping[str, object]],
    following: Mapping[str, object] | None,
    preceding: Mapping[str, object] | None,
) -> dict[str, object]:
    """The JSON of any page; the last two are the parameters of its neighbours, None at an end."""
    address = request.build_absolute_uri(request.path)

    def link(to: Mapping[str, object] | None) -> str | None:
        return None if to is None else f"{address}?{urlencode({**parameters, **to})}"

    return {"results": results, "next": link(following), "previous": link(preceding)}


def _opposite(window: Window) -> Window | None:
    """The page that ends where this one begins; None if nothing comes before."""
    start = window.before if window.descending else window.after
    if start is None or (start == 0 and not window.descending):
        return None  # numbers start at 1
    if window.descending:
        return Window(after=start - 1 if start else None, limit=window.limit)
    before = start + 1 if start < MAX_NUMBER else None
    return Window(before=before, limit=window.limit, descending=True)


def _preceding(window: Window, numbers: Sequence[int]) -> dict[str, int] | None:
    """The bounds of the page with these numbers, which ends where this one begins."""
    if not numbers:
        return None
    bound = {"before": numbers[-1] + 1} if window.descending else {"after": numbers[-1] - 1}
    # A short first page needs its own limit, or it would overlap the page that follows it.
    return bound | ({"limit": len(numbers)} if len(numbers) < window.limit else {})


def _limit(parameters: Mapping[str, str]) -> int:
    limit = _number(parameters, "limit")
    if limit is None:
        return DEFAULT_LIMIT
    if not 1 <= limit <= MAX_LIMIT:
        message = f"limit must lie between 1 and {MAX_LIMIT}."
        raise Invalid(FieldError("limit", "range", message))
    return limit


def _number(parameters: Mapping[str, str], name: str) -> int | None:
    text = parameters.get(name)
    if text is None:
        return None
    if not _DECIMAL.match(text) or int(text) > MAX_NUMBER:
        message = f"{name} must be a whole number from 0 to {MAX_NUMBER}."
        raise Invalid(FieldError(name, "number", message))
    return int(text)
