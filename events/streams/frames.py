"""Frames: entries of the log as the bytes that a stream sends, read from the tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
from django.utils import timezone

from applications.models import Application
from events.items import entries_json
from events.pages import Entry, EventLog, Position
from infra.database import renew_connection

#: At most this many entries are read at a time.
MAX_ENTRIES = 200

ERASED, RESET = "message.erased", "reset"


@dataclass(frozen=True, slots=True)
class Frame:
    """An entry as bytes, and the place in the log right behind it."""

    position: Position
    chat_number: int | None
    type: str
    created_at: datetime
    data: bytes


@dataclass(frozen=True, slots=True)
class Reading:
    """The frames behind a place, up to the place `reached`; `is_last` if none followed then."""

    frames: Sequence[Frame]
    reached: Position
    is_last: bool


def read_frames(token: str, after: Position, chat_number: int | None = None) -> Reading | None:
    """The next frames of an application, or of one chat; None if there is no such application.

    If the log does not go back that far any more, the first frame is a reset. Raises
    OperationalError.
    """
    renew_connection()
    application = Application.objects.filter(token=token).first()
    if application is None:
        return None
    log = EventLog(application)
    entries, reached = _read_entries(log, after, chat_number)
    frames = _frames(application, entries)
    # Events may be removed at any time, so this is checked after they were read. Even a log that
    # has lost events in its midst, which the audit reports, is read to its end.
    is_contiguous = bool(entries) and entries[0].event.event_number <= after.next_event
    is_at_end = after.next_event > application.last_event
    lowest = after.next_event
    if not (is_contiguous or is_at_end):
        lowest = log.lowest_number(at_least=after.next_event)
    if lowest > after.next_event:
        frames.insert(0, _reset(lowest))
        reached = max(reached, Position(lowest - 1), key=lambda place: place.order)
    is_last = len(entries) < MAX_ENTRIES and reached.next_event > application.last_event
    return Reading(frames, reached, is_last)


def _read_entries(
    log: EventLog, after: Position, chat_number: int | None
) -> tuple[Sequence[Entry], Position]:
    if chat_number is not None:
        return log.after_in_chat(after, MAX_ENTRIES, chat_number)
    entries = log.after(after, MAX_ENTRIES)
    return entries, entries[-1].position if entries else after


def _frames(application: Application, entries: Sequence[Entry]) -> list[Frame]:
    return [
        Frame(
            entry.position,
            entry.event.chat_number,
            entry.event.type,
            entry.event.created_at,
            _frame(str(entry.position), entry.event.type, shown),
        )
        for entry, shown in zip(entries, entries_json(application, entries), strict=True)
    ]


def _reset(lowest: int) -> Frame:
    """Tells that events are missing, and where the log begins now."""
    position, now = Position(lowest - 1), timezone.now()
    data = _frame(str(position), RESET, {"lowest_event_number": lowest})
    return Frame(position, None, RESET, now, data)


def _frame(position: str, kind: str, shown: object) -> bytes:
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (
        position.encode(),
        kind.encode(),
        orjson.dumps(shown),
    )
