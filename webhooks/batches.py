"""Reads what comes next for a webhook: up to 100 entries of the log, within 256 KiB.

A step looks at a bounded range of the log. What a webhook does not want is moved over, so a webhook
of a quiet chat in a busy application takes several steps and never a long query.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from django.db.models import Q

from applications.models import Application
from events.items import entries_json
from events.models import ApplicationEvent
from events.pages import Entry, EventLog, Position
from webhooks.models import Webhook

MAX_ENTRIES = 100
MAX_BYTES = 256 * 1024
#: Events that one step looks at.
STEP = 1000
#: The text around the entries.
_FRAME_BYTES = 512


@dataclass(frozen=True)
class Batch:
    """The entries from the position of a webhook up to `end`, as JSON, each by itself.

    `missed_before`: events from the position to this number were removed before they were sent.
    """

    entries: Sequence[bytes]
    end: Position
    missed_before: int | None = None

    @property
    def is_worth_sending(self) -> bool:
        """Whether there is anything that the endpoint does not know."""
        return bool(self.entries) or self.missed_before is not None


def read_batch(webhook: Webhook, application: Application) -> Batch:
    """The next batch, or the one that was attempted before. Raises errors of the database."""
    start, frozen = webhook.position, webhook.batch_end
    last = application.last_event
    entries, end = _entries(webhook, start, min(last, start.next_event + STEP - 1), frozen)
    # Events may be removed at any time, so this is looked at after they were read.
    lowest = EventLog(application).lowest_number()
    missed = lowest if start.next_event < lowest else None
    if missed is not None:
        start = Position(max(lowest - 1, start.event_number))
        if frozen is not None and frozen.event_number < start.event_number:
            frozen = None
        entries, end = _entries(webhook, start, min(last, start.next_event + STEP - 1), frozen)
    return _fitting(entries, entries_json(application, entries), end, missed)


def _entries(
    webhook: Webhook, start: Position, last: int, frozen: Position | None
) -> tuple[list[Entry], Position]:
    """The entries behind `start` that the webhook wants, and the place up to which that is all."""
    wanted = Q() if webhook.types is None else Q(type__in=webhook.types)
    if webhook.chat_number is not None:
        wanted &= Q(chat_number=webhook.chat_number)
    if frozen is not None:
        last = min(last, frozen.event_number)
    events = ApplicationEvent.objects.filter(
        wanted,
        application_token=webhook.application_token,
        event_number__gte=start.next_event,
        event_number__lte=last,
    )
    entries: list[Entry] = []
    # Each event has an entry or more, except that nothing may be left of the first one.
    for event in events.order_by("event_number")[: MAX_ENTRIES + 1]:
        begin, size = 0, event.size
        if event.event_number == start.event_number:
            begin = start.item or 0
        if frozen is not None and event.event_number == frozen.event_number:
            size = size if frozen.item is None else min(size, frozen.item)
        upto = min(size, begin + MAX_ENTRIES - len(entries))
        entries += [Entry(event, item) for item in range(begin + 1, upto + 1)]
        if upto < event.size:
            return entries, Position(event.event_number, upto)
        if len(entries) == MAX_ENTRIES:
            return entries, Position(event.event_number)
    return entries, Position(max(last, start.event_number))


def _fitting(
    entries: Sequence[Entry], shown: Sequence[object], end: Position, missed: int | None
) -> Batch:
    """The batch of those entries that fit into a delivery; a single one always does."""
    left = MAX_BYTES - _FRAME_BYTES
    fitting: list[bytes] = []
    for one in shown:
        encoded = orjson.dumps(one)
        left -= len(encoded) + 1
        if left < 0:
            return Batch(fitting, entries[len(fitting) - 1].position, missed)
        fitting.append(encoded)
    return Batch(fitting, end, missed)
