"""What the search worker does when it is notified: index until nothing has changed for a while.

It looks again for longer than a process holds back its next notification, so no message waits for
beat. Where there is no index it builds one, in pieces; between pieces the backlog comes first. So
everything becomes findable again after Elasticsearch has lost its data.
"""

import time

from infra import worker_shutdown
from infra.jobs import JobIsRunning
from search import building
from search.backlog import NOTIFY_EVERY_SECONDS, notify_indexer
from search.index.layout import layout
from search.indexing import Workload, index_some

LOOK_EVERY_SECONDS = 0.2
LOOK_FOR_SECONDS = 2 * NOTIFY_EVERY_SECONDS
#: The pieces of a build.
PIECE_SECONDS = 1.0
#: After so long the task ends, and asks to be begun again.
LIMIT_SECONDS = 60.0


def run_indexer() -> None:
    """Return when the index is complete and in step with the table.

    Raises IndexUnusable, OperationalError.
    """
    limit = time.monotonic() + LIMIT_SECONDS
    until = 0.0  # where there is nothing to do at first, no wake-up was held back either
    while True:
        work = _index_some()
        if work is Workload.NONE:
            if time.monotonic() > until or worker_shutdown.wait_for_shutdown(LOOK_EVERY_SECONDS):
                return
            continue
        until = time.monotonic() + LOOK_FOR_SECONDS
        # A little waits for company: each request costs Elasticsearch a round of its log, on disk.
        is_to_end = worker_shutdown.wait_for_shutdown(
            LOOK_EVERY_SECONDS if work is Workload.LITTLE else 0
        )
        if is_to_end or time.monotonic() > limit:
            notify_indexer(at_once=True)
            return


def _index_some() -> Workload:
    """Do some of what there is to do; how much there was."""
    found = layout()
    if not found.targets:
        building.begin()
        return Workload.MUCH
    work = index_some()
    if work is Workload.NONE and found.build is not None and _build_piece():
        return Workload.MUCH
    return work


def _build_piece() -> bool:
    end = time.monotonic() + PIECE_SECONDS
    try:
        building.go_on(is_over=lambda: time.monotonic() > end)
    except JobIsRunning:
        return False  # somebody else builds it
    return True
