"""Writes the log of events, in the transaction that changes the rows.

The number of an event comes from its application's row (`last_event`), which stays locked until the
end of the transaction. So events are visible in the order of their numbers, and a transaction that
fails leaves no gap. Applications are locked in the order of their tokens, after all other rows, so
that transactions cannot deadlock, and for a short time.

Statements are written by hand: this runs for each batch, and the ORM costs several times as much.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.utils import timezone
from prometheus_client import Counter

from applications.models import Application
from chats.records import CHATS
from events.models import ApplicationEvent
from events.wake_ups import wake
from infra.metrics import registry
from infra.versions import FIRST_VERSION
from ingest.records import Key
from ingest.row_changes import Action, RowChange
from messages_app.records import MESSAGES

WRITTEN = Counter(
    "chatsystem_events_written",
    "Events written to the logs of applications; consecutive new messages are one.",
    registry=registry,
)

APPLICATION, CHAT, MESSAGE = "application", "chat", "message"
_ITEMS: Mapping[str, str] = {
    Application._meta.db_table: APPLICATION,
    CHATS.name: CHAT,
    MESSAGES.name: MESSAGE,
}
_COLUMNS = (
    "application_token",
    "event_number",
    "type",
    "chat_number",
    "first_number",
    "last_number",
    "version",
    "created_at",
)


@dataclass(frozen=True, slots=True)
class _NewEvent:
    """An event without its number."""

    token: str
    type: str
    chat_number: int | None
    first_number: int
    last_number: int
    version: int

    def values(self, number: int, created_at: Any) -> tuple[Any, ...]:
        """The values of _COLUMNS."""
        return (
            self.token,
            number,
            self.type,
            self.chat_number,
            self.first_number,
            self.last_number,
            self.version,
            created_at,
        )


def record(changes: Sequence[RowChange]) -> None:
    """Write the events of these changes in the caller's transaction. A purge has none."""
    by_token: defaultdict[str, list[_NewEvent]] = defaultdict(list)
    for change in changes:
        if change.action is not Action.PURGED:
            for event in _events_of(change):
                by_token[event.token].append(event)
    if not by_token:
        return
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    with connection.cursor() as cursor:
        counts = {token: len(events) for token, events in by_token.items()}
        last = _raise_counters(cursor, counts)
        rows = [
            event.values(number, now)
            for token, events in by_token.items()
            if token in last  # rows may outlive an application that a restored database has lost
            for number, event in enumerate(events, last[token] - counts[token] + 1)
        ]
        _insert(cursor, rows)

    def committed() -> None:
        WRITTEN.inc(len(rows))
        wake(last)

    # Not a `partial`: Django cannot name one in its log when it fails.
    transaction.on_commit(committed, robust=True)


def _events_of(change: RowChange) -> Iterator[_NewEvent]:
    item = _ITEMS[change.table]
    kind = f"{item}.{change.action}"
    if item == MESSAGE and change.action is Action.CREATED:
        yield from _runs(kind, change.keys)
        return
    for key in change.keys:
        token, chat, message = (*key, None, None)[:3]
        chat_number = None if chat is None else int(chat)
        number = int(message or 0)
        version = change.versions.get(key, FIRST_VERSION)
        yield _NewEvent(str(token), kind, chat_number, number, number, version)


def _runs(kind: str, keys: Iterable[Key]) -> Iterator[_NewEvent]:
    """An event for each run of consecutive messages of a chat."""
    in_order = enumerate(sorted(keys))
    for (parent, _), members in groupby(
        in_order, lambda one: (one[1][:-1], int(one[1][-1]) - one[0])
    ):
        token, chat = parent
        numbers = [int(key[-1]) for _, key in members]
        yield _NewEvent(str(token), kind, int(chat), numbers[0], numbers[-1], FIRST_VERSION)


def _raise_counters(cursor: CursorWrapper, counts: Mapping[str, int]) -> dict[str, int]:
    """Raise `last_event` of each application by its count; the new values of those that exist."""
    quote = connection.ops.quote_name
    table, token, last = map(quote, (Application._meta.db_table, "token", "last_event"))
    raising = f"UPDATE {table} SET {last} = {last} + %s WHERE {token} = %s"  # noqa: S608 - all names
    cursor.executemany(raising, [(counts[one], one) for one in sorted(counts)])
    places = ", ".join(["%s"] * len(counts))
    cursor.execute(
        f"SELECT {token}, {last} FROM {table} WHERE {token} IN ({places})",  # noqa: S608 - all names
        list(counts),
    )
    return dict(cursor.fetchall())


def _insert(cursor: CursorWrapper, rows: Sequence[tuple[Any, ...]]) -> None:
    quote = connection.ops.quote_name
    table, names = quote(ApplicationEvent._meta.db_table), ", ".join(map(quote, _COLUMNS))
    places = ", ".join(["%s"] * len(_COLUMNS))
    # MariaDB's driver makes few statements of it.
    cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({places})", rows)  # noqa: S608 - all names
