"""Rows that are accepted and not stored yet.

An installation without Redis has none, and is not asked for any.
"""

from core.accept.purged import is_purged
from core.accept.settled import settle_unqueued
from core.accept.storing import store_numbered
from core.errors import Unavailable
from core.numbering.authority import read_authority
from core.numbering.leases import ceiling_of
from core.numbering.models import Source
from core.numbering.trusted import is_trusted
from core.redis.client import is_configured
from core.redis.guard import NoRedis
from core.redis.pending import find_pending
from core.rows import Key


class Waits(Unavailable):
    """It may have been accepted and wait in the queue, where it cannot be seen."""

    def __init__(self) -> None:
        super().__init__("It may wait in a queue, which cannot be seen just now.")


def may_be_queued(key: Key) -> bool:
    """Whether a row that was found nowhere may still wait in a queue: `key` ends in its number.

    Its number must have been given and not be purged, and not all that waits be seen. Raises
    OperationalError.
    """
    return is_configured() and _is_awaited(key) and not all_is_seen()


def all_is_seen() -> bool:
    """Whether Redis' pending rows are the whole truth about what is accepted and not stored.

    They are not while Redis is away, gives no numbers, has lost data while rows were queued that
    still may be, or was restarted or emptied and nobody knows yet what it has lost. An installation
    without Redis has none. Raises OperationalError.
    """
    if not is_configured():
        return True
    authority = read_authority()
    if authority.source == Source.DATABASE or not authority.is_drained:
        return False
    try:
        return is_trusted(authority.term)
    except NoRedis:
        return False


def _is_awaited(key: Key) -> bool:
    return _may_have_been_given(key) and not is_purged(key)


def _may_have_been_given(key: Key) -> bool:
    *parent, number = key
    if not parent:
        return False  # an application is stored before anybody knows of it
    ceiling = ceiling_of(tuple(parent))
    if ceiling is None:
        return _may_have_been_given(tuple(parent))
    return int(number) <= ceiling


def store_if_pending(key: Key) -> bool:
    """Store this row now if it is pending; whether it was. `key` ends in its number.

    Raises OperationalError.
    """
    row = find_pending(key) if is_configured() else None
    if row is None:
        return False
    store_numbered([row])
    settle_unqueued([row])
    return True
