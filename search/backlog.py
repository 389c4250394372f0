"""Waking the search worker: at most twice a second from each process, however much it writes.

A wake-up that is held back is not lost: the worker that was woken by the one before looks again for
longer than that (search.indexer). One that does not arrive is repeated by beat.

What is still to be indexed: keys, recorded in the transaction that stores or edits the rows.

So nothing is stored and never indexed, whatever dies in between. An entry says only that these
messages may have changed; what they are now is read when they are indexed, so entries may come
late, twice and in any order.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from threading import Lock

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from infra.logs import Event, get_logger
from infra.rabbitmq.connection import BrokerUnavailable, broker_is_configured
from infra.rabbitmq.publisher import publisher, task_message
from infra.rabbitmq.queues import SEARCH
from ingest.records import Key
from search.models import BacklogEntry

logger = get_logger(__name__)

INDEX_TASK = "search.tasks.index"
NOTIFY_EVERY_SECONDS = 0.5

_lock = Lock()
_notified_at = float("-inf")


def notify_indexer(*, at_once: bool = False) -> None:
    """Let the search worker look into the backlog, unless this process has done so just now."""
    if broker_is_configured() and (at_once or _is_due()):
        try:
            publisher().publish(SEARCH, *task_message(INDEX_TASK))
        except BrokerUnavailable as error:
            logger.debug(Event.WAKE_LOST, error=error)


def _is_due() -> bool:
    global _notified_at  # noqa: PLW0603 - one for the process is the point
    with _lock:
        now = time.monotonic()
        if now - _notified_at < NOTIFY_EVERY_SECONDS:
            return False
        _notified_at = now
        return True


#: About so many messages are indexed in one request.
MAX_KEYS = 1000
_ENTRIES = 50


@dataclass(frozen=True)
class Entries:
    """Some entries, and the messages that they name, each once."""

    ids: Sequence[int]
    keys: Sequence[Key]

    @property
    def are_all(self) -> bool:
        """Whether there were no others."""
        return len(self.ids) < _ENTRIES and len(self.keys) < MAX_KEYS


def record(keys: Sequence[Key]) -> None:
    """Note these messages, in the caller's transaction; the search worker is woken after it."""
    if not settings.ENVIRONMENT.elasticsearch_url:
        return
    BacklogEntry.objects.create(keys=list(_ranges(keys)), recorded_at=timezone.now())
    transaction.on_commit(notify_indexer, robust=True)


def oldest() -> Entries | None:
    """The entries to work off next; None when there are none."""
    ids: list[int] = []
    keys: dict[Key, None] = {}
    for entry in BacklogEntry.objects.order_by("pk")[:_ENTRIES]:
        ids.append(entry.pk)
        keys.update(dict.fromkeys(_keys(entry.keys)))
        if len(keys) >= MAX_KEYS:
            break
    return Entries(ids, list(keys)) if ids else None


def remove(entries: Entries) -> None:
    """These entries are worked off."""
    BacklogEntry.objects.filter(pk__in=entries.ids).delete()


def last_id() -> int:
    """The latest entry there is; 0 without any."""
    return BacklogEntry.objects.aggregate(last=Max("pk"))["last"] or 0


def is_worked_off(up_to: int) -> bool:
    """Whether everything that was recorded up to this entry is indexed."""
    return not BacklogEntry.objects.filter(pk__lte=up_to).exists()


def _ranges(keys: Iterable[Key]) -> Iterator[list[str | int]]:
    """The keys, sorted and without repetition, as ranges of consecutive numbers."""
    in_order = sorted(set(keys))
    of_range = groupby(enumerate(in_order), key=lambda one: (one[1][:-1], int(one[1][-1]) - one[0]))
    for (parent, _), members in of_range:
        numbers = [key[-1] for _, key in members]
        yield [*parent, numbers[0], numbers[-1]]


def _keys(ranges: Iterable[Sequence[str | int]]) -> Iterator[Key]:
    for *parent, first, last in ranges:
        for number in range(int(first), int(last) + 1):
            yield (*parent, number)
