"""The loop of the search worker: index the backlog until it stays empty for a while.

The loop keeps looking for longer than a process holds back its next notification, so no message has
to wait for Celery beat. If there is no index, the loop builds one in pieces, and between pieces the
backlog comes first. So all messages become searchable again after Elasticsearch has lost its data.
"""

import time

from infra import worker_shutdown
from infra.jobs import JobIsRunning
from search import index_build
from search.backlog import NOTIFY_EVERY_SECONDS, notify_indexer
from search.index.layout import layout
from search.index_update import Workload, index_batch

POLL_SECONDS = 0.2
#: How long the backlog must stay empty before the loop ends.
IDLE_SECONDS = 2 * NOTIFY_EVERY_SECONDS
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
