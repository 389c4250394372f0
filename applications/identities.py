"""Who presents a key: an application, an operator, or nobody.

The database knows, and each process remembers its answer for a second at most: so a busy client's
key costs nothing, guessing costs little, and a key that was replaced opens nothing a second later.
While the database is away Redis is asked, which was told of each key that was made or used.
"""

import time
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from secrets import compare_digest
from typing import Any

from django.db import InterfaceError, OperationalError
from django.db.models import F, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from applications.keys import KeyHash
from applications.models import Application, OperatorKey
from core.database import breaker
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
    """An application by its token, or an operator, who has none."""

    application_token: str | None

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
    # What was learnt in one second of the clock counts in no other.
    return _identify(key_hash, int(time.monotonic() / SECONDS))


def forget_identities() -> None:
    """A key was replaced: this process looks anew at once, the others within a second."""
    _identify.cache_clear()


def tell_redis(key_hash: KeyHash) -> None:
    """A key was made: it works before it was ever used, even if the database goes away now."""
    if is_configured():
        with suppress(KeysAway):
            identify(key_hash)


@lru_cache(maxsize=REMEMBERED)
def _identify(key_hash: KeyHash, _second: int) -> Identity | None:
    database = breaker()
    if not database.is_open:
        try:
            return _from_database(key_hash)
        except (OperationalError, InterfaceError) as error:
            database.open(error)
    return _from_redis(key_hash)


def _from_database(key_hash: KeyHash) -> Identity | None:
    """One statement, so that the epoch is the one in which the key was good."""
    applications = _rows(Application.objects.annotate(holder=F("token")), key_hash)
    operators = _rows(OperatorKey.objects.annotate(holder=Value(_OPERATOR)), key_hash)
    for stored, holder, epoch in applications.union(operators, all=True):
        # The database may think more of them alike.
        if compare_digest(stored, key_hash):
            latest_epoch.learn(epoch)
            remember(key_hash, holder, epoch)
            return _identity(holder)
    return None


def _rows(holders: "QuerySet[Any]", key_hash: KeyHash) -> Any:  # a query set of tuples
    epoch = Coalesce(Subquery(NumberAuthority.objects.values("epoch")[:1]), FIRST_EPOCH)
    found = holders.filter(key_hash=key_hash).annotate(epoch=epoch)
    return found.values_list("key_hash", "holder", "epoch")


def _from_redis(key_hash: KeyHash) -> Identity | None:
    try:
        holder = recall(key_hash, since=latest_epoch.value)
    except (NoRedis, Forgotten):
        raise KeysAway from None
    return None if holder is None else _identity(holder)


def _identity(holder: str) -> Identity:
    return OPERATOR if holder == _OPERATOR else Identity(holder)
