"""The holders of keys: which application or operator the key with a hash belongs to.

The database knows them. Requests that look up keys at the same time share one query. While the
database is unavailable Redis answers, which learns each key that is made or used. A Redis entry
names the epoch in which it was read, and one of an earlier epoch does not count. A replaced key is
marked as revoked, so a late entry for it does not count either.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, NewType

from django.contrib.auth.models import User
from django.db import InterfaceError, OperationalError
from django.db.models import F, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from applications.models import Application, OperatorKey
from infra.database import database_breaker, note_outage, read_in_thread
from infra.errors import Unavailable
from infra.redis_client import RedisUnavailable, Shard, ask_redis, shard_of
from ingest import redis_keys
from ingest.group_commit import GroupCommit, OutcomeOpen, QueueIsFull
from ingest.models import FIRST_EPOCH, NumberAuthority
from ingest.numbering.authority import latest_epoch

KeyHash = NewType("KeyHash", str)

KEPT_FOR = timedelta(days=7)
#: Longer than any entry of the same key, even one that is written after the replacement.
REVOKED_FOR = 2 * KEPT_FOR


def remember_holders(holders: Mapping[str, str], epoch: int) -> None:
    """Keep the holders that the database named in this epoch, by hash; nothing without Redis."""
    by_shard: defaultdict[Shard, dict[str, str]] = defaultdict(dict)
    for key_hash, holder in holders.items():
        name = redis_keys.key_holder(key_hash)
        by_shard[shard_of(key_hash)][name] = f"{epoch} {holder}"
    for shard, entries in by_shard.items():
        with suppress(RedisUnavailable):
            ask_redis(shard, partial(_set_all, entries))


def _set_all(entries: Mapping[str, str], server: Any) -> None:
    pipeline = server.pipeline(transaction=False)
    for name, entry in entries.items():
        pipeline.set(name, entry, ex=KEPT_FOR)
    pipeline.execute()


def revoke_in_redis(key_hash: str) -> None:
    """Mark the key as revoked in Redis. Raises RedisUnavailable."""
    name = redis_keys.revoked_key(key_hash)
    ask_redis(shard_of(key_hash), lambda server: server.set(name, 1, ex=REVOKED_FOR))


class KeysUnavailable(Unavailable):
    """Neither the database nor Redis can check keys now."""

    detail = "Keys cannot be checked now."


@dataclass(frozen=True, slots=True)
class Identity:
    """An application with its token, or an operator without one.

    `user` is the user of the admin's session; None for a key.
    """

    application_token: str | None
    user: User | None = None

    def __str__(self) -> str:
        return self.application_token or _OPERATOR


OPERATOR = Identity(None)
#: Stands for an operator in place of a token.
_OPERATOR = "operator"


def find_holder(key_hash: KeyHash) -> Identity | None:
    """The holder of the key with this hash; None if there is none. Raises KeysUnavailable."""
    try:
        return _together.submit(key_hash)
    except (QueueIsFull, OutcomeOpen) as error:
        raise KeysUnavailable from error


def _look_up(key_hashes: Sequence[KeyHash]) -> list[Identity | Exception | None]:
    """The holders of these keys, or the error that nobody can tell."""
    known = _from_database(set(key_hashes))
    if known is None:
        return [_from_redis(key_hash) for key_hash in key_hashes]
    return [known.get(key_hash) for key_hash in key_hashes]


_together: GroupCommit[KeyHash, Identity | None] = GroupCommit(_look_up)


def _from_database(key_hashes: Collection[KeyHash]) -> dict[KeyHash, Identity] | None:
    """The holders of valid keys; None while the database is unavailable.

    One statement, so that the epoch is the one in which the keys were valid.
    """
    database = database_breaker()
    if database.is_open:
        return None
    try:
        applications = _rows(Application.objects.annotate(holder=F("token")), key_hashes)
        operators = _rows(OperatorKey.objects.annotate(holder=Value(_OPERATOR)), key_hashes)
        found = read_in_thread(lambda: list(applications.union(operators, all=True)))
    except (OperationalError, InterfaceError) as error:
        note_outage(error)
        return None
    # The database's collation may match more hashes.
    holders = {stored: holder for stored, holder, _ in found if stored in key_hashes}
    if holders:
        # All the same, unless the database is sharded: then each part reads its epoch first.
        epoch = min(epoch for *_, epoch in found)
        latest_epoch.learn(epoch)
        remember_holders(holders, epoch)
    return {key_hash: _identity(holder) for key_hash, holder in holders.items()}


def _rows(
    holders: "QuerySet[Any]", key_hashes: Collection[KeyHash]
) -> Any:  # a query set of tuples
    latest = NumberAuthority.objects.order_by("-epoch").values("epoch")[:1]
    epoch = Coalesce(Subquery(latest), FIRST_EPOCH)
    found = holders.filter(key_hash__in=key_hashes).annotate(epoch=epoch)
    return found.values_list("key_hash", "holder", "epoch")


def _from_redis(key_hash: KeyHash) -> Identity | Exception | None:
    """The holder of this key; None for a revoked one, KeysUnavailable if Redis cannot tell."""
    shard = shard_of(key_hash)
    names = [
        redis_keys.key_holder(key_hash),
        redis_keys.revoked_key(key_hash),
        redis_keys.epoch(shard),
    ]
    try:
        entry, revoked, epoch = ask_redis(shard, lambda server: server.mget(names))
    except RedisUnavailable:
        return KeysUnavailable()
    if revoked:
        return None
    read_in, _, holder = (entry or b"0").decode().partition(" ")
    if not holder or int(read_in) < max(latest_epoch.value, int(epoch or 0)):
        return KeysUnavailable()
    return _identity(holder)


def _identity(holder: str) -> Identity:
    return OPERATOR if holder == _OPERATOR else Identity(holder)
