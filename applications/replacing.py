"""Replacing a key, so that the old one opens nothing any more, also while the database is away.

Redis is told before the database is: if the latter fails, the old key is merely refused while the
database is away. Where Redis cannot be told, what it remembers of keys must not count, so a new
epoch begins in the same transaction.
"""

from functools import partial
from typing import Any

from django.db.models import QuerySet

from applications.identities import forget_identities, tell_redis
from applications.keys import KeyHash
from core.numbering.authority import begin_epoch, lock_authority, read_authority
from core.numbering.models import Source
from core.redis.client import is_configured
from core.redis.credentials import revoke
from core.redis.guard import NoRedis
from core.transactions import in_transaction


def replace_hash(rows: "QuerySet[Any]", new: KeyHash) -> bool:
    """Give the one row another `key_hash`; false where there is no row. Raises OperationalError."""
    while (row := rows.values_list("key_hash").first()) is not None:
        [old] = row
        swap = partial(_swap, rows, old, new, redis_knows=_told(old))
        if in_transaction(swap):
            forget_identities()
            tell_redis(new)
            return True
        # Somebody else was quicker: theirs is the one to replace now.
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


def _swap(rows: "QuerySet[Any]", old: KeyHash | None, new: KeyHash, *, redis_knows: bool) -> bool:
    if not redis_knows:
        authority = lock_authority()
        begin_epoch(authority, Source(authority.source), "a key was replaced while Redis was away")
    return bool(rows.filter(key_hash=old).update(key_hash=new))
