"""Searches the messages of an application: hits by time, newest first, in pages with a cursor.

A cursor is the place at which a page begins, signed: clients get it from links and cannot make one.
Messages of the same time are ordered by chat and number, so a place names one message.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any, Protocol, TypeVar

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.db.models import Q, QuerySet
from rest_framework.request import Request

from infra.errors import FieldError, Invalid
from infra.natural_keys import in_pieces
from ingest.records import Key, from_microseconds, to_microseconds
from listing.pages import page_json, read_window
from messages_app.models import Message
from messages_app.records import MESSAGES
from search.service import Criteria, Matcher, Row, first_answer, found_by_then

Page = TypeVar("Page")

#: The order of the index application_messages_by_time.
_ORDER = ("application_token", "created_at", "chat_number", "message_number")


@dataclass(frozen=True)
class Position:
    """The place of a message in its application; `created_us` is microseconds since 1970."""

    created_us: int
    chat_number: int
    message_number: int


@dataclass(frozen=True)
class TimeWindow:
    """The requested hits: at most `limit` of those that lie before `start`; None: of all."""

    start: Position | None
    limit: int


class HitsByTime(Protocol):
    """The hits in an application, which can be read in both directions of time."""

    def older(self, window: TimeWindow) -> Sequence[Any]:
        """The newest hits of the window as they are shown, newest first."""

    def not_older(self, start: Position, limit: int) -> Sequence[Position]:
        """The places of the oldest hits that lie at `start` or behind it, oldest first."""


def search_application(
    criteria: Criteria, read_page: Callable[[HitsByTime], Page]
) -> tuple[Page, str]:
    """Apply `read_page` to the hits in this application; see search.service.search_chat.

    Raises ApplicationNotFound, and Unavailable if no backend can answer.
    """
    finders: dict[str, Callable[[Criteria], HitsByTime]] = {"database": ApplicationScan}
    if settings.ENVIRONMENT.elasticsearch_url:
        from search.index.queries import ApplicationHits  # noqa: PLC0415 - see search.index

        finders = {"elasticsearch": ApplicationHits, **finders}
    return first_answer(criteria, finders, read_page)


class ApplicationScan:
    """The hits in the table, read from the start of the page until it is full.

    The bound of search.service.Matcher holds, as for a chat. The methods raise TooMuchToScan.
    """

    def __init__(self, criteria: Criteria) -> None:
        self._application = criteria.scope
        self._matcher = Matcher(criteria)
        # Two bounds in place of an equality: with that, MariaDB reads a large application from its
        # end up to the start of each step, and not from there on.
        [token] = criteria.scope
        self._rows = Message.objects.filter(
            application_token__gte=token, application_token__lte=token
        )
        if criteria.filters is not None:
            # The index by time makes these bounds free, so rows beyond them do not count.
            self._rows = self._rows.filter(criteria.filters.by_time)

    def older(self, window: TimeWindow) -> Sequence[Any]:
        """The newest hits of the window as they are shown, newest first."""

        def read(last: Row | None, count: int) -> Sequence[Row]:
            before = place_of(last) if last else window.start
            rows = self._rows.filter(_beside(before, "lt")) if before else self._rows
            return _read(rows, [f"-{name}" for name in _ORDER], count)

        found: list[Any] = []
        hits = self._matcher.hits(read)
        while some := list(islice(hits, window.limit - len(found))):
            found += self._messages([(*self._application, *_key(hit)) for hit in some])
        return found

    def not_older(self, start: Position, limit: int) -> Sequence[Position]:
        """The places of hits; fewer, but at least one, where the allowance is used up."""

        def read(last: Row | None, count: int) -> Sequence[Row]:
            after = place_of(last) if last else just_before(start)
            return _read(self._rows.filter(_beside(after, "gt")), _ORDER, count)

        return list(map(place_of, found_by_then(islice(self._matcher.hits(read), limit))))

    def _messages(self, keys: Sequence[Key]) -> list[Any]:
        """The messages with these keys that are still there."""
        by_key = {
            MESSAGES.key_of(message): MESSAGES.show(message)
            for wanted in in_pieces(MESSAGES.key_fields, keys)
            for message in Message.objects.filter(wanted, erased_at=None)
        }
        return [by_key[key] for key in keys if key in by_key]


def _read(rows: "QuerySet[Message]", order: Sequence[str], count: int) -> Sequence[Row]:
    return list(map(Row._make, rows.order_by(*order).values_list(*Row._fields)[:count]))


def _beside(place: Position, side: str) -> Q:
    """The rows on one side of this place: "lt" or "gt".

    The first condition is a range of the index by time, which databases use; of the alternatives
    alone they would not find it.
    """
    at = from_microseconds(place.created_us)
    same_time, same_chat = Q(created_at=at), Q(chat_number=place.chat_number)
    return Q(**{f"created_at__{side}e": at}) & (
        Q(**{f"created_at__{side}": at})
        | (same_time & Q(**{f"chat_number__{side}": place.chat_number}))
        | (same_time & same_chat & Q(**{f"message_number__{side}": place.message_number}))
    )


def _key(row: Row) -> Key:
    return row.chat_number, row.message_number


def place_of(row: Row) -> Position:
    """The place of this message."""
    return Position(to_microseconds(row.created_at), row.chat_number, row.message_number)


def place_of_shown(row: Any) -> Position:
    """The place of this message, which is given as it is shown."""
    at = datetime.fromisoformat(row.created_at)
    return Position(to_microseconds(at), row.chat_number, row.message_number)


def just_before(place: Position) -> Position:
    """The place that every place behind it, this one included, lies behind."""
    return replace(place, message_number=place.message_number - 1)


# --- Pages ------------------------------------------------------------------------------------


def read_time_window(application: Key, parameters: Mapping[str, str]) -> TimeWindow:
    """The page that the parameters `cursor` and `limit` ask for. Raises Invalid."""
    limit = read_window({"limit": parameters["limit"]} if "limit" in parameters else {}).limit
    cursor = parameters.get("cursor")
    return TimeWindow(None if cursor is None else _decode(application, cursor), limit)


@dataclass(frozen=True)
class TimePager:
    """Builds pages of the hits in an application."""

    application: Key
    hits: HitsByTime
    represent: Callable[[Any], dict[str, object]]

    def page(
        self, request: Request, parameters: Mapping[str, str], window: TimeWindow
    ) -> dict[str, object]:
        """The JSON of a page: the hits, and the URLs of both neighbours, null at an end."""
        one_more = self.hits.older(replace(window, limit=window.limit + 1))
        shown = one_more[: window.limit]
        following = (
            self._starting(place_of_shown(shown[-1])) if len(one_more) > len(shown) else None
        )
        results = [self.represent(message) for message in shown]
        return page_json(request, parameters, results, following, self._preceding(window))

    def _preceding(self, window: TimeWindow) -> Mapping[str, object] | None:
        """The parameters of the page that ends where this one begins; None if there is none."""
        places = self.hits.not_older(window.start, window.limit) if window.start else ()
        if not places:
            return None
        last = replace(places[-1], message_number=places[-1].message_number + 1)
        # A short first page needs its own limit, or it would overlap the page that follows it.
        limit = {"limit": len(places)} if len(places) < window.limit else {}
        return {**self._starting(last), **limit}

    def _starting(self, place: Position) -> Mapping[str, object]:
        return {"cursor": _signer(self.application).sign_object(astuple(place))}


def _decode(application: Key, cursor: str) -> Position:
    try:
        return Position(*_signer(application).unsign_object(cursor))
    except (BadSignature, ValueError):
        message = "cursor must come from a link of this search."
        raise Invalid(FieldError("cursor", "invalid", message)) from None


def _signer(application: Key) -> Signer:
    """Its signatures hold for one application. "." stays as it is in a URL."""
    return Signer(sep=".", salt=f"search {application[0]}")
