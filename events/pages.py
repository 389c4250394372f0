"""Reads the log of events in pages of entries: one entry for each item of an event.

The id of an entry is `event_number`, or `event_number.k` within a run of k or more messages. The
last entry of a run has the plain number, so that a client which has seen it needs nothing of that
event any more: it may be removed.

Numbers have no gaps, so each page is a range of numbers that is known in advance.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

from django.db.models import Min, QuerySet

from applications.models import Application
from events.models import ApplicationEvent
from infra.errors import FieldError, Gone, Invalid
from listing.pages import read_window

#: A search for the events of one chat looks at this many events at a time.
_EVENTS_LOOKED_AT = 5000

_POSITION = re.compile(r"(0|[1-9][0-9]{0,17})(?:\.([1-9][0-9]{0,17}))?", re.ASCII)


class EventsGone(Gone):
    """Events that a client has not seen are removed."""

    def __init__(self, lowest: int) -> None:
        super().__init__(
            f"Events after this position are no longer kept. The lowest one is {lowest}.",
            lowest_event_number=lowest,
        )


@dataclass(frozen=True)
class Position:
    """A place in the log: behind an event or, with `item`, within a run, behind that item."""

    event_number: int
    item: int | None = None

    def __str__(self) -> str:
        return f"{self.event_number}" if self.item is None else f"{self.event_number}.{self.item}"

    @property
    def order(self) -> tuple[int, float]:
        """A value by which places are compared."""
        return self.event_number, inf if self.item is None else self.item

    @property
    def next_event(self) -> int:
        """The number of the first event that has items behind this place, or may have."""
        return self.event_number + (self.item is None)


@dataclass(frozen=True, slots=True)
class Entry:
    """An item of an event; `item` counts from 1 within the event."""

    event: ApplicationEvent
    item: int

    @property
    def position(self) -> Position:
        """The place right behind it."""
        is_last = self.item == self.event.size
        return Position(self.event.event_number, None if is_last else self.item)

    @property
    def position_before(self) -> Position:
        """The place right before it."""
        number = self.event.event_number
        return Position(number - 1) if self.item == 1 else Position(number, self.item - 1)

    @property
    def message_number(self) -> int:
        """The number of the message; 0 if the item is none."""
        return self.event.first_number + self.item - 1


class EventLog:
    """The log of one application, as of the time when its row was read."""

    def __init__(self, application: Application) -> None:
        self._last = application.last_event
        self._events: QuerySet[ApplicationEvent] = ApplicationEvent.objects.filter(
            application_token=application.token
        ).order_by("event_number")

    def lowest_number(self, at_least: int = 0) -> int:
        """The lowest number of an event that is kept, or of the next one if there is none."""
        events = self._events.filter(event_number__gte=at_least)
        lowest: int | None = events.aggregate(lowest=Min("event_number"))["lowest"]
        return self._last + 1 if lowest is None else lowest

    def after(self, position: Position, limit: int) -> list[Entry]:
        """The first entries behind this place."""
        first = position.next_event
        # The first event may have nothing behind the place; each other one has an entry or more.
        events = self._events.filter(event_number__gte=first, event_number__lte=first + limit)
        return _first_entries(events, position, limit)

    def after_in_chat(
        self, position: Position, limit: int, chat_number: int
    ) -> tuple[list[Entry], Position]:
        """The first entries of one chat among the next events, and the place read up to.

        It looks at a bounded number of events, so an empty result is not the end of the log.
        """
        first = position.next_event
        last = min(first + _EVENTS_LOOKED_AT - 1, self._last)
        events = self._events.filter(
            event_number__gte=first, event_number__lte=last, chat_number=chat_number
        )
        entries = _first_entries(events[:limit], position, limit)
        if len(entries) == limit:
            return entries, entries[-1].position
        return entries, max(position, Position(last), key=lambda place: place.order)

    def until(self, position: Position, limit: int) -> list[Entry]:
        """The last entries before this place, the last one first."""
        if position.event_number > self._last:
            position = Position(self._last)
        last = position.event_number
        events = self._events.filter(event_number__gt=last - limit, event_number__lte=last)
        entries: list[Entry] = []
        for event in events.order_by("-event_number"):
            end = event.size
            if event.event_number == last and position.item is not None:
                end = min(end, position.item)
            begin = max(0, end - limit + len(entries))
            entries += [Entry(event, item) for item in range(end, begin, -1)]
        return entries


def _first_entries(
    events: QuerySet[ApplicationEvent], position: Position, limit: int
) -> list[Entry]:
    entries: list[Entry] = []
    for event in events:
        begin = 0
        if event.event_number == position.event_number:
            begin = position.item or 0
        end = min(event.size, begin + limit - len(entries))
        entries += [Entry(event, item) for item in range(begin + 1, end + 1)]
    return entries


@dataclass(frozen=True)
class EventPage:
    """The entries of a page, and the parameters of its neighbours; None at an end."""

    entries: Sequence[Entry]
    following: Mapping[str, object] | None
    preceding: Mapping[str, object] | None


def read_page(application: Application, after: Position | None, limit: int) -> EventPage:
    """The entries after this place, or from the lowest event on. Raises EventsGone."""
    log = EventLog(application)
    start = after or Position(log.lowest_number() - 1)
    one_more = log.after(start, limit + 1)
    entries = one_more[:limit]
    # Events may be removed at any time, so this is checked after they were read.
    if after is not None and after.next_event < (lowest := log.lowest_number()):
        raise EventsGone(lowest)
    following = {"after": entries[-1].position} if len(one_more) > limit else None
    before = log.until(start, limit)
    preceding: dict[str, object] | None = None
    if before:
        preceding = {"after": before[-1].position_before}
        # A short first page needs its own limit, or it would overlap the page that follows it.
        if len(before) < limit:
            preceding["limit"] = len(before)
    return EventPage(entries, following, preceding)


def read_position(parameters: Mapping[str, str]) -> Position | None:
    """The parameter `after`; None if it is missing. Raises Invalid."""
    text = parameters.get("after")
    return None if text is None else parse_position(text, "after")


def parse_position(text: str, field: str) -> Position:
    """The place behind the event with this id. Raises Invalid, which names the field."""
    match = _POSITION.fullmatch(text)
    if not match:
        message = f"{field} must be the id of an event, or 0."
        raise Invalid(FieldError(field, "invalid", message))
    return Position(int(match[1]), int(match[2]) if match[2] else None)


def read_limit(parameters: Mapping[str, str]) -> int:
    """The parameter `limit`. Raises Invalid."""
    return read_window({"limit": parameters["limit"]} if "limit" in parameters else {}).limit
