"""What the search worker does when it is woken: until nothing has changed for a while.

It looks again for longer than a process holds its next wake-up back, so no message has to wait for
beat. Where there is no index, it builds one, in pieces, and between those the backlog comes first:
so after Elasticsearch lost its data everything becomes findable by itself.
"""

import time

from core import ending
from core.jobs import JobIsRunning
from search import building
from search.index.layout import layout
from search.indexing import Work, work_off_some
from search.wake import EVERY_SECONDS, wake

LOOK_EVERY_SECONDS = 0.2
LOOK_FOR_SECONDS = 2 * EVERY_SECONDS
#: The pieces of a build.
PIECE_SECONDS = 1.0
#: After so long the task ends, and asks to be begun again.
LIMIT_SECONDS = 60.0


def keep_up() -> None:
    """Return when the index is complete and in step with the table.

    Raises IndexUnusable, OperationalError.
    """
    limit = time.monotonic() + LIMIT_SECONDS
    until = 0.0  # where there is nothing to do at first, no wake-up was held back either
    while True:
        work = _work()
        if work is Work.NONE:
            if time.monotonic() > until or ending.wait(LOOK_EVERY_SECONDS):
                return
            continue
        until = time.monotonic() + LOOK_FOR_SECONDS
        # A little waits for company: each request costs Elasticsearch a round of its log, on disk.
        is_to_end = ending.wait(LOOK_EVERY_SECONDS if work is Work.LITTLE else 0)
        if is_to_end or time.monotonic() > limit:
            wake(at_once=True)
            return


def _work() -> Work:
    """Do some of what there is to do; how much there was."""
    found = layout()
    if not found.targets:
        building.begin()
        return Work.MUCH
    work = work_off_some()
    if work is Work.NONE and found.build is not None and _build_a_piece():
        return Work.MUCH
    return work


def _build_a_piece() -> bool:
    end = time.monotonic() + PIECE_SECONDS
    try:
        building.go_on(is_over=lambda: time.monotonic() > end)
    except JobIsRunning:
        return False  # somebody else builds it
    return True
