"""Updates the index from the backlog, in the loop of the search worker.

A batch reads the oldest entries and writes the current rows of their messages. Entries leave the
backlog only after all their messages are in every index that takes changes.

The loop goes on until the backlog stays empty for longer than a process holds back its next
notification, so no message has to wait for Celery beat. If there is no index, the loop builds one
in pieces, and between pieces the backlog comes first. So all messages become searchable again after
Elasticsearch has lost its data.
"""

import time
from collections.abc import Sequence
from enum import Enum, auto

from infra import worker_shutdown
from infra.jobs import JobIsRunning
from infra.natural_keys import in_pieces
from infra.rabbitmq.publisher import WAKE_EVERY_SECONDS
from ingest.models import DeadLetter
from ingest.records import Key
from messages_app.models import Message
from messages_app.records import MESSAGES
from search import backlog, index_build
from search.backlog import notify_indexer
from search.errors import NoIndex
from search.index.bulk_writing import Change, write_changes
from search.index.documents import contents
from search.index.layout import layout


class Workload(Enum):
    """The amount of work that a batch had; after MUCH the backlog may hold more."""

    NONE = auto()
    LITTLE = auto()
    MUCH = auto()


def index_batch() -> Workload:
    """Index the messages of the oldest entries of the backlog.

    Raises IndexUnusable, OperationalError.
    """
    entries = backlog.oldest()
    if entries is None:
        return Workload.NONE
    # Read the layout after the entries: an index created later is filled from a table that already
    # has the changes of these entries.
    targets = layout().targets
    if not targets:
        raise NoIndex("there is no index yet")
    write_changes(_changes(entries.keys), targets)
    backlog.remove(entries)
    backlog.INDEXED.inc(len(entries.keys))
    return Workload.LITTLE if entries.are_all else Workload.MUCH


def index_again(letter: DeadLetter) -> None:
    """Replay a dead letter: add its message to the backlog, in the caller's transaction."""
    backlog.record([tuple(letter.key)])


def _changes(keys: Sequence[Key]) -> list[Change]:
    """The changes that bring the documents of these messages up to date with the table.

    An erased message has no document.
    """
    rows = {
        row.key: row
        for wanted in in_pieces(MESSAGES.key_fields, keys)
        for row in contents(Message.objects.filter(wanted, erased_at=None))
    }
    return [Change(key, rows.get(key)) for key in keys]


POLL_SECONDS = 0.2
#: How long the backlog must stay empty before the loop ends.
IDLE_SECONDS = 2 * WAKE_EVERY_SECONDS
#: Duration of one piece of a build.
BUILD_PIECE_SECONDS = 1.0
#: After this time the task ends and queues itself again.
MAX_SECONDS = 60.0


def run_indexer() -> None:
    """Return when the index is complete and up to date, at a shutdown, or after MAX_SECONDS.

    Raises IndexUnusable, OperationalError.
    """
    limit = time.monotonic() + MAX_SECONDS
    idle_until = 0.0  # if the backlog is empty at first, no notification was held back either
    while True:
        work = _work_once()
        if work is Workload.NONE:
            if time.monotonic() > idle_until or worker_shutdown.wait_for_shutdown(POLL_SECONDS):
                return
            continue
        idle_until = time.monotonic() + IDLE_SECONDS
        # A small batch waits for more work, because each request makes Elasticsearch sync its log.
        shuts_down = worker_shutdown.wait_for_shutdown(
            POLL_SECONDS if work is Workload.LITTLE else 0
        )
        if shuts_down or time.monotonic() > limit:
            notify_indexer(at_once=True)
            return


def _work_once() -> Workload:
    """Index one batch of the backlog, or build one piece of the index."""
    found = layout()
    if not found.targets:
        index_build.begin()
        return Workload.MUCH
    work = index_batch()
    if work is Workload.NONE and found.build is not None and _build_piece():
        return Workload.MUCH
    return work


def _build_piece() -> bool:
    end = time.monotonic() + BUILD_PIECE_SECONDS
    try:
        index_build.resume(should_stop=lambda: time.monotonic() > end)
    except JobIsRunning:
        return False  # another process builds it
    return True
