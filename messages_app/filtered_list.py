"""The messages of a chat that filters select, by number.

By sender, an index has the numbers in order, so a page costs the same wherever it lies. By time,
numbers and times usually rise together: a page is filled from the next messages in order of
numbers. If there are not enough among them, the index of times has all numbers of the range, up to
a bound. Imported messages may have any times, so nothing is concluded from neighbours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from django.db.models import F

from infra.errors import Unavailable
from infra.redis_client import redis_is_configured
from ingest.read_your_writes import Window, pending_rows
from ingest.records import Key, NumberedRow
from listing.pages import Source, in_window
from messages_app.filters import Filters
from messages_app.records import MESSAGES, SENDER

_NUMBER = MESSAGES.number_field
_SENDER = MESSAGES.fields.index(SENDER)


class TooManyCandidates(Unavailable):
    """A page would need more messages to be read than one request may."""

    detail = "The filters leave too many messages to look through. Narrow them by time."
    retry_after = 60


@dataclass(frozen=True)
class FilteredMessages(Source[Any]):
    """The stored and pending messages of a chat that the filters select.

    Its methods raise TooManyCandidates.
    """

    chat: Key
    filters: Filters
    #: Messages that are looked at in order of numbers before the index of times is read.
    step: ClassVar[int] = 1000
    #: Entries of an index that one page may read.
    max_candidates: ClassVar[int] = 1_000_000
    #: Pending messages that one page may read.
    max_pending: ClassVar[int] = 20_000

    def items(self, window: Window) -> Sequence[Any]:
        """The messages of the window, as they are shown."""
        found: list[Any] = []
        rest = window
        # A purge may remove messages after their numbers were read, so read on until it is full.
        while missing := window.limit - len(found):
            numbers, pending = self._select(replace(rest, limit=missing))
            rows = {number: MESSAGES.show_new(row) for number, row in pending.items()}
            # A stored message wins, because it may have been edited.
            stored = MESSAGES.rows(self.chat).filter(message_number__in=numbers)
            rows |= {row.message_number: MESSAGES.show(row) for row in stored}
            found += [rows[number] for number in numbers if number in rows]
            if len(numbers) < missing:
                break
            rest = rest.beyond(numbers[-1])
        return found

    def numbers(self, window: Window) -> Sequence[int]:
        """The numbers of the same messages."""
        return self._select(window)[0]

    def _select(self, window: Window) -> tuple[Sequence[int], Mapping[int, NumberedRow]]:
        """The numbers in the window, and the pending messages.

        A message that is accepted between the reads of Redis and of the table is missed, while a
        later one may be seen. So both are read again, up to the highest number seen.
        """
        numbers, pending = self._select_once(window)
        if numbers and redis_is_configured():
            return self._select_once(replace(window, before=max(numbers) + 1))
        return numbers, pending

    def _select_once(self, window: Window) -> tuple[Sequence[int], Mapping[int, NumberedRow]]:
        # Redis first: a message that is stored between the two reads appears twice, never not.
        pending = self._pending(window) if redis_is_configured() else {}
        numbers = {*pending, *self._stored(window)}
        return sorted(numbers, reverse=window.descending)[: window.limit], pending

    def _pending(self, window: Window) -> dict[int, NumberedRow]:
        found: dict[int, NumberedRow] = {}
        for _ in range(self.max_pending // self.step):
            rows = pending_rows(self.chat, replace(window, limit=self.step)).rows
            for row in rows:
                if self.filters.match(row.accepted_at, row.values[_SENDER]):
                    found[row.number] = row
            if not rows or len(found) >= window.limit:
                return found
            window = window.beyond(rows[-1].number)
        raise TooManyCandidates

    def _stored(self, window: Window) -> Sequence[int]:
        """The stored numbers in the window."""
        of_sender = MESSAGES.rows(self.chat).filter(self.filters.by_sender)
        if not self.filters.has_times:
            numbers = in_window(of_sender, _NUMBER, window).values_list(_NUMBER, flat=True)
            return list(numbers)
        near = in_window(of_sender, _NUMBER, replace(window, limit=self.step))
        looked_at = list(near.values_list(_NUMBER, "created_at"))
        found = [number for number, at in looked_at if self.filters.includes(at)]
        if len(looked_at) < self.step or len(found) >= window.limit:
            return found[: window.limit]
        rest = window.beyond(looked_at[-1][0])
        return found + self._by_time(replace(rest, limit=window.limit - len(found)))

    def _by_time(self, window: Window) -> list[int]:
        """The stored numbers in the window, found by the index of times. Raises TooManyCandidates.

        As the result of an addition, numbers cannot be read in the order of another index.
        """
        rows = MESSAGES.rows(self.chat)
        candidates = (rows.filter(condition) for condition in self.filters.conditions)
        if all(
            each[: self.max_candidates + 1].count() > self.max_candidates for each in candidates
        ):
            raise TooManyCandidates
        wanted = rows.filter(*self.filters.conditions).annotate(at=F(_NUMBER) + 0)
        return list(in_window(wanted, "at", window).values_list(_NUMBER, flat=True))
