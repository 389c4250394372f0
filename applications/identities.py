"""Keys: 256 random bits that are shown once, when they are made. Only their SHA-256 is kept.

Nobody guesses 256 bits, so a quick hash without salt is enough, and a key is found by an index.

Whose key is whose, by the key's hash, for the time that the database is away.

An entry says in which epoch it was read: one of an earlier epoch than now counts no more. It is
written anew whenever the database has confirmed it, and a key that was replaced is marked as such:
so an entry that somebody slow writes after the replacement is worth nothing either.

Who presents a key: an application, an operator, or nobody.

The database knows, and each process remembers its answer for a second at most: so a busy client's
key costs nothing, guessing costs little, and a key that was replaced opens nothing a second later.
Requests that have to ask at the same time ask together: when the second is over, all threads do.
While the database is away Redis is asked, which was told of each key that was made or used.
"""

import secrets
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from secrets import compare_digest
from typing import Any, NewType

from django.contrib.auth.models import User
from django.db import InterfaceError, OperationalError
from django.db.models import F, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from applications.models import Application, OperatorKey
from infra.database import database_breaker, renew_connection
from infra.errors import Unavailable
from infra.redis_client import RedisUnavailable, ask_redis, redis_is_configured
from ingest import redis_keys
from ingest.group_commit import GroupCommit, OutcomeOpen, QueueIsFull
from ingest.numbering.authority import latest_epoch
from ingest.numbering.models import FIRST_EPOCH, NumberAuthority

KEY_BYTES = 32

KeyHash = NewType("KeyHash", str)


def new_key() -> str:
    """64 hexadecimal digits."""
    return secrets.token_hex(KEY_BYTES)


def hash_of(key: str) -> KeyHash:
    """What is kept of a key: 64 hexadecimal digits as well."""
    return KeyHash(sha256(key.encode()).hexdigest())


KEPT_FOR = timedelta(days=7)
#: Longer than any entry of the same key, even one that is written a while after the replacement.
REVOKED_FOR = 2 * KEPT_FOR


class HolderUnknown(Exception):
    """Nothing is known of this key, neither that it is good nor that it is not."""


def remember_holder(key_hash: str, holder: str, epoch: int) -> None:
    """The database has said so in this epoch. Without Redis nothing happens."""
    with suppress(RedisUnavailable):
        ask_redis(
            lambda server: server.set(
                redis_keys.key_holder(key_hash), f"{epoch} {holder}", ex=KEPT_FOR
            )
        )


def recall_holder(key_hash: str, *, since: int) -> str | None:
    """The holder, if the entry is not older than the epoch `since`; None for a key replaced.

    Raises Forgotten, RedisUnavailable.
    """
    names = [redis_keys.key_holder(key_hash), redis_keys.revoked_key(key_hash), redis_keys.EPOCH]
    entry, revoked, epoch = ask_redis(lambda server: server.mget(names))
    if revoked:
        return None
    read_in, _, holder = (entry or b"0").decode().partition(" ")
    if not holder or int(read_in) < max(since, int(epoch or 0)):
        raise HolderUnknown
    return holder


def revoke_in_redis(key_hash: str) -> None:
    """From now on Redis says of this key that it opens nothing. Raises RedisUnavailable."""
    ask_redis(lambda server: server.set(redis_keys.revoked_key(key_hash), 1, ex=REVOKED_FOR))


REMEMBERED_SECONDS = 1
MAX_REMEMBERED = 10_000


class KeysUnavailable(Unavailable):
    """Nobody can say now whose key this is."""

    def __init__(self) -> None:
        super().__init__("Keys cannot be checked now.")


@dataclass(frozen=True, slots=True)
class Identity:
    """An application by its token, or an operator, without one.

    `user` is set for the admin's session and None for a key, which belongs to no user.
    """

    application_token: str | None
    user: User | None = None

    def __str__(self) -> str:
        return self.application_token or _OPERATOR

    @property
    def is_operator(self) -> bool:
        """May open every application."""
        return self.application_token is None


OPERATOR = Identity(None)
#: In place of a token.
_OPERATOR = "operator"


def identify(key_hash: KeyHash) -> Identity | None:
    """Whose key has this hash. Raises KeysUnavailable."""
    learnt = _memory.now().learnt
    if key_hash in learnt:
        return learnt[key_hash]
    try:
        identity = _together.submit(key_hash)
    except (QueueIsFull, OutcomeOpen) as error:
        raise KeysUnavailable from error
    if len(learnt) < MAX_REMEMBERED:
        learnt[key_hash] = identity
    return identity


def forget_identities() -> None:
    """A key was replaced: this process looks anew at once, the others within a second."""
    _memory.forget()


def remember_in_redis(key_hash: KeyHash) -> None:
    """A key was made: it works before it was ever used, even if the database goes away now."""
    if redis_is_configured():
        with suppress(KeysUnavailable):
            identify(key_hash)


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """What was learnt of keys that were asked for in one second of the clock."""

    number: int
    learnt: dict[KeyHash, Identity | None] = field(default_factory=dict)


class _Memory:
    """The second that it is; nothing of any other is remembered."""

    def __init__(self) -> None:
        self._second = _Snapshot(0)

    def now(self) -> _Snapshot:
        """Look this up before asking: what is learnt later may have been true only then."""
        second, number = self._second, int(time.monotonic() / REMEMBERED_SECONDS)
        if second.number != number:
            self._second = second = _Snapshot(number)
        return second

    def forget(self) -> None:
        """Begin anew."""
        self._second = _Snapshot(0)


_memory = _Memory()


def _look_up(key_hashes: Sequence[KeyHash]) -> list[Identity | Exception | None]:
    """Whose keys have these hashes, or that nobody can say."""
    renew_connection()
    known = _from_database(set(key_hashes))
    if known is None:
        return [_from_redis(key_hash) for key_hash in key_hashes]
    return [known.get(key_hash) for key_hash in key_hashes]


_together: GroupCommit[KeyHash, Identity | None] = GroupCommit(_look_up)


def _from_database(key_hashes: Collection[KeyHash]) -> dict[KeyHash, Identity] | None:
    """Those that are good, None while the database is away.

    One statement, so that the epoch is the one in which the keys were good.
    """
    database = database_breaker()
    if database.is_open:
        return None
    try:
        applications = _rows(Application.objects.annotate(holder=F("token")), key_hashes)
        operators = _rows(OperatorKey.objects.annotate(holder=Value(_OPERATOR)), key_hashes)
        found = list(applications.union(operators, all=True))
    except (OperationalError, InterfaceError) as error:
        database.open(error)
        return None
    known: dict[KeyHash, Identity] = {}
    for stored, holder, epoch in found:
        # The database may think more of them alike.
        key_hash = next((one for one in key_hashes if compare_digest(stored, one)), None)
        if key_hash:
            latest_epoch.learn(epoch)
            remember_holder(key_hash, holder, epoch)
            known[key_hash] = _identity(holder)
    return known


def _rows(
    holders: "QuerySet[Any]", key_hashes: Collection[KeyHash]
) -> Any:  # a query set of tuples
    epoch = Coalesce(Subquery(NumberAuthority.objects.values("epoch")[:1]), FIRST_EPOCH)
    found = holders.filter(key_hash__in=key_hashes).annotate(epoch=epoch)
    return found.values_list("key_hash", "holder", "epoch")


def _from_redis(key_hash: KeyHash) -> Identity | Exception | None:
    try:
        holder = recall_holder(key_hash, since=latest_epoch.value)
    except (RedisUnavailable, HolderUnknown):
        return KeysUnavailable()
    return None if holder is None else _identity(holder)


def _identity(holder: str) -> Identity:
    return OPERATOR if holder == _OPERATOR else Identity(holder)
