"""Who presents a key: an application, an operator, or nobody.

The database knows, and each process remembers its answer for a second at most: so a busy client's
key costs nothing, guessing costs little, and a key that was replaced opens nothing a second later.
Requests that have to ask at the same time ask together: when the second is over, all threads do.
While the database is away Redis is asked, which was told of each key that was made or used.
"""

import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from secrets import compare_digest
from typing import Any

from django.contrib.auth.models import User
from django.db import InterfaceError, OperationalError
from django.db.models import F, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from applications.keys import KeyHash
from applications.models import Application, OperatorKey
from core.accept.group import GroupCommit, OutcomeOpen, TurnedAway
from core.database import breaker, renew_connection
from core.errors import Unavailable
from core.numbering.epochs import FIRST_EPOCH, latest_epoch
from core.numbering.models import NumberAuthority
from core.redis.client import is_configured
from core.redis.credentials import Forgotten, recall, remember
from core.redis.guard import NoRedis

SECONDS = 1
REMEMBERED = 10_000


class KeysAway(Unavailable):
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
    """Whose key has this hash. Raises KeysAway."""
    learnt = _memory.now().learnt
    if key_hash in learnt:
        return learnt[key_hash]
    try:
        identity = _together.submit(key_hash)
    except (TurnedAway, OutcomeOpen) as error:
        raise KeysAway from error
    if len(learnt) < REMEMBERED:
        learnt[key_hash] = identity
    return identity


def forget_identities() -> None:
    """A key was replaced: this process looks anew at once, the others within a second."""
    _memory.forget()


def tell_redis(key_hash: KeyHash) -> None:
    """A key was made: it works before it was ever used, even if the database goes away now."""
    if is_configured():
        with suppress(KeysAway):
            identify(key_hash)


@dataclass(frozen=True, slots=True)
class _Second:
    """What was learnt of keys that were asked for in one second of the clock."""

    number: int
    learnt: dict[KeyHash, Identity | None] = field(default_factory=dict)


class _Memory:
    """The second that it is; nothing of any other is remembered."""

    def __init__(self) -> None:
        self._second = _Second(0)

    def now(self) -> _Second:
        """Look this up before asking: what is learnt later may have been true only then."""
        second, number = self._second, int(time.monotonic() / SECONDS)
        if second.number != number:
            self._second = second = _Second(number)
        return second

    def forget(self) -> None:
        """Begin anew."""
        self._second = _Second(0)


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
    database = breaker()
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
            remember(key_hash, holder, epoch)
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
        holder = recall(key_hash, since=latest_epoch.value)
    except (NoRedis, Forgotten):
        return KeysAway()
    return None if holder is None else _identity(holder)


def _identity(holder: str) -> Identity:
    return OPERATOR if holder == _OPERATOR else Identity(holder)
