"""Waking the search worker: at most twice a second from each process, however much it writes.

A wake-up that is held back is not lost: the worker that was woken by the one before looks again for
longer than that (search.keeping_up). One that does not arrive is repeated by beat.
"""

import time
from threading import Lock

from core.broker.publisher import BrokerAway, is_configured, publisher
from core.broker.queues import SEARCH
from core.broker.task import task
from core.logs import Event, get_logger

logger = get_logger(__name__)

TASK = "search.tasks.index"
EVERY_SECONDS = 0.5

_lock = Lock()
_woken_at = float("-inf")


def wake(*, at_once: bool = False) -> None:
    """Let the search worker look into the backlog, unless this process has done so just now."""
    if is_configured() and (at_once or _is_due()):
        try:
            publisher().publish(SEARCH, *task(TASK))
        except BrokerAway as error:
            logger.debug(Event.WAKE_LOST, error=error)


def _is_due() -> bool:
    global _woken_at  # noqa: PLW0603 - one for the process is the point
    with _lock:
        now = time.monotonic()
        if now - _woken_at < EVERY_SECONDS:
            return False
        _woken_at = now
        return True
