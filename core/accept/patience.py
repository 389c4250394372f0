"""Waiting for a database that is away, in place, while the message stays unacknowledged.

A requeued message would come back at once and use up its deliveries; but the broker takes back what
nobody acknowledges for half an hour, so the wait is bounded well below that.
"""

import time
from collections.abc import Callable
from random import uniform

from django.db import Error, InterfaceError, OperationalError, connection

from core import ending
from core.logs import Event, get_logger
from core.timeouts import (
    DATABASE_FIRST_PAUSE_SECONDS,
    DATABASE_LONGEST_PAUSE_SECONDS,
    DATABASE_OUTAGE_SECONDS,
)

logger = get_logger(__name__)


class GaveUp(Exception):
    """The database stayed away for too long, or this worker is to end."""


def patiently(work: Callable[[], None], meanwhile: Callable[[], None]) -> None:
    """Return when `work` has succeeded; `meanwhile` is called before each of the pauses.

    Raises GaveUp, and what `work` raises that is not the absence of the database.
    """
    until = time.monotonic() + DATABASE_OUTAGE_SECONDS
    longest = DATABASE_FIRST_PAUSE_SECONDS
    while True:
        try:
            return work()
        except (OperationalError, InterfaceError) as error:
            _close()
            logger.warning(Event.ROWS_WAIT, error=error)
            if ending.wait(uniform(longest / 2, longest)) or time.monotonic() > until:  # noqa: S311
                raise GaveUp(str(error)) from error
        meanwhile()
        longest = min(2 * longest, DATABASE_LONGEST_PAUSE_SECONDS)


def _close() -> None:
    """What has failed may be unusable; the next attempt opens a new connection."""
    try:
        connection.close()
    except Error:
        return  # it was dead
