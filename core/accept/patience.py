"""Waiting for a database that is away, in place, while the message stays unacknowledged.

A requeued message would come back at once and use up its deliveries; but the broker takes back what
nobody acknowledges for half an hour, so the wait is bounded well below that.
"""

import time
from collections.abc import Callable
from random import uniform

from django.db import Error, connection

from core import ending
from core.logs import Event, get_logger
from core.service_errors import meaning_of
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

    Any error of the database is waited out: what blames a row has been dealt with by `work`, and
    the rest passes, be it an outage, a missing migration or an error that nobody knows. Raises
    GaveUp, and what `work` raises that is not of the database.
    """
    until = time.monotonic() + DATABASE_OUTAGE_SECONDS
    longest = DATABASE_FIRST_PAUSE_SECONDS
    while True:
        try:
            return work()
        except Error as error:
            meaning_of(error)  # tells of one that nobody knows
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
