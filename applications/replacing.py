"""Replacing or revoking a key: the old one opens nothing more, also while the database is away.

Redis is told before the database is: if the latter fails, the old key is merely refused while the
database is away. Where Redis cannot be told, what it remembers of keys must not count, so a new
epoch begins in the same transaction.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from django.db.models import QuerySet

from applications.identities import forget_identities, tell_redis
from applications.keys import KeyHash
from core.numbering.authority import begin_epoch, lock_authority, read_authority
from core.numbering.models import Source
from core.redis.client import is_configured
from core.redis.credentials import revoke
from core.redis.guard import NoRedis
from core.transactions import in_transaction


class Once(Protocol):
    """Something that is to be done once, however often it is asked for."""

    def refuse_repeat(self) -> None:
        """Raise an error if it was done before."""

    def claim(self) -> None:
        """Remember, in this transaction, that it is done. Raises IntegrityError if it was."""


def replace_hash(rows: "QuerySet[Any]", new: KeyHash, once: Once | None = None) -> bool:
    """Give the one row another `key_hash`; false where there is no row.

    Raises OperationalError and the errors of `once`; the row is unchanged then.
    """
    if not _end_key(rows, lambda row: row.update(key_hash=new), once):
        return False
    tell_redis(new)
    return True


def remove_with_key(rows: "QuerySet[Any]") -> bool:
    """Delete the one row; false where there is none. Raises OperationalError."""
    return _end_key(rows, lambda row: row.delete()[0])


def _end_key(
    rows: "QuerySet[Any]", change: "Callable[[QuerySet[Any]], int]", once: Once | None = None
) -> bool:
    """Make the change by which the key of the one row is good no more."""
    while (row := rows.values_list("key_hash").first()) is not None:
        [old] = row
        # Checked after the key was read: otherwise this could end the key that a rival has made.
        if once:
            once.refuse_repeat()
        if in_transaction(partial(_change, rows, old, change, once, redis_knows=_told(old))):
            forget_identities()
            return True
        # Somebody else was quicker: theirs is the one to end now.
    return False


def _told(old: KeyHash | None) -> bool:
    """Whether Redis, if there is one, says of the old key that it opens nothing."""
    if old is None or not is_configured():
        return True
    try:
        revoke(old)
    except NoRedis:
        read_authority()  # makes the row that is locked next
        return False
    return True


def _change(
    rows: "QuerySet[Any]",
    old: KeyHash | None,
    change: "Callable[[QuerySet[Any]], int]",
    once: Once | None,
    *,
    redis_knows: bool,
) -> bool:
    if not redis_knows:
        authority = lock_authority()
        begin_epoch(authority, Source(authority.source), "a key was replaced while Redis was away")
    if not change(rows.filter(key_hash=old)):
        return False
    if once:
        once.claim()
    return True
