"""The index backlog: keys of messages to index, written in the transaction that changes the rows.

So no message is stored and never indexed, whatever process dies in between. An entry says only that
these messages of an application may have changed; the indexer reads their current rows. Entries may
therefore arrive late, twice and in any order.

After the commit the search worker is notified, at most twice a second by each process. Skipping the
notifications in between is safe: a notified worker keeps looking for longer than that
(search.indexer). Celery beat repeats a notification that is lost.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, islice

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Max
from django.utils import timezone
from prometheus_client import Counter

from infra.metrics import registry
from infra.natural_keys import batches_by_pk
from infra.rabbitmq.publisher import WakeUp
from infra.rabbitmq.queues import SEARCH
from ingest.records import Key
from ingest.row_changes import RowChange
from messages_app.records import MESSAGES
from search.models import BacklogEntry

INDEXED = Counter(
    "chatsystem_messages_indexed",
    "Messages written to the search index.",
    registry=registry,
)

#: Wakes the search worker.
notify_indexer = WakeUp(SEARCH, "search.tasks.index").send

#: Messages indexed in one request, approximately.
MAX_KEYS = 1000
#: Entries indexed in one request, at most: each has a message or more.
MAX_ENTRIES = MAX_KEYS
#: Entries read by one query. One alone may have as many messages as a request.
PAGE = 100


@dataclass(frozen=True)
class Entries:
    """Entries of the backlog, and the distinct messages that they name."""

    ids: Sequence[int]
    tokens: Collection[str]
    keys: Sequence[Key]

    @property
    def are_all(self) -> bool:
        """Whether the backlog had no further entries."""
        return len(self.ids) < MAX_ENTRIES and len(self.keys) < MAX_KEYS


def record_changes(changes: Sequence[RowChange]) -> None:
    """Add the messages among these changes, in the transaction that makes them."""
    keys = [key for one in changes if one.table == MESSAGES.name for key in one.keys]
    if keys:
        record(keys)


def record(keys: Sequence[Key]) -> None:
    """Add these messages in the caller's transaction; notify the search worker after its commit.

    Each application gets one entry.
    """
    if not settings.ENVIRONMENT.elasticsearch_url:
        return
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    entries = [
        (token, json.dumps(list(ranges)), now)
        for token, ranges in groupby(_ranges(keys), key=lambda one: str(one[0]))
    ]
    # By hand: with an entry for each of many applications, the ORM costs five times as much.
    quote = connection.ops.quote_name
    table = quote(BacklogEntry._meta.db_table)
    names = ", ".join(map(quote, ("application_token", "keys", "recorded_at")))
    with connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {table} ({names}) VALUES (%s, %s, %s)", entries)  # noqa: S608 - all names
    transaction.on_commit(notify_indexer, robust=True)


def oldest() -> Entries | None:
    """The entries to index next; None if the backlog is empty."""
    ids: list[int] = []
    tokens: set[str] = set()
    keys: dict[Key, None] = {}
    in_order = chain.from_iterable(batches_by_pk(BacklogEntry.objects.all(), PAGE))
    for entry in islice(in_order, MAX_ENTRIES):
        ids.append(entry.pk)
        tokens.add(entry.application_token)
        keys.update(dict.fromkeys(_keys(entry.keys)))
        if len(keys) >= MAX_KEYS:
            break
    return Entries(ids, tokens, list(keys)) if ids else None


def remove(entries: Entries) -> None:
    """Delete these entries, because their messages are indexed.

    An id identifies an entry; the tokens lead a sharded database to its shard.
    """
    BacklogEntry.objects.filter(application_token__in=entries.tokens, pk__in=entries.ids).delete()


def last_id() -> int:
    """The id of the newest entry; 0 if the backlog is empty."""
    return BacklogEntry.objects.aggregate(last=Max("pk"))["last"] or 0


def is_worked_off(up_to: int) -> bool:
    """Whether all entries up to this id are indexed."""
    return not BacklogEntry.objects.filter(pk__lte=up_to).exists()


def _ranges(keys: Iterable[Key]) -> Iterator[list[str | int]]:
    """The distinct keys, sorted, as ranges of consecutive numbers."""
    in_order = sorted(set(keys))
    of_range = groupby(enumerate(in_order), key=lambda one: (one[1][:-1], int(one[1][-1]) - one[0]))
    for (parent, _), members in of_range:
        numbers = [key[-1] for _, key in members]
        yield [*parent, numbers[0], numbers[-1]]


def _keys(ranges: Iterable[Sequence[str | int]]) -> Iterator[Key]:
    for *parent, first, last in ranges:
        for number in range(int(first), int(last) + 1):
            yield (*parent, number)
