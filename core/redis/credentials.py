"""Whose key is whose, by the key's hash, for the time that the database is away.

An entry says in which epoch it was read: one of an earlier epoch than now counts no more. It is
written anew whenever the database has confirmed it, and a key that was replaced is marked as such:
so an entry that somebody slow writes after the replacement is worth nothing either.
"""

from contextlib import suppress
from datetime import timedelta

from core.redis import keys
from core.redis.guard import NoRedis, ask

KEPT = timedelta(days=7)
#: Longer than any entry of the same key, even one that is written a while after the replacement.
REVOKED = 2 * KEPT


class Forgotten(Exception):
    """Nothing is known of this key, neither that it is good nor that it is not."""


def remember(key_hash: str, holder: str, epoch: int) -> None:
    """The database has said so in this epoch. Without Redis nothing happens."""
    with suppress(NoRedis):
        ask(lambda server: server.set(keys.credential(key_hash), f"{epoch} {holder}", ex=KEPT))


def recall(key_hash: str, *, since: int) -> str | None:
    """The holder, if the entry is not older than the epoch `since`; None for a key replaced.

    Raises Forgotten, NoRedis.
    """
    names = [keys.credential(key_hash), keys.revoked(key_hash), keys.EPOCH]
    entry, revoked, epoch = ask(lambda server: server.mget(names))
    if revoked:
        return None
    read_in, _, holder = (entry or b"0").decode().partition(" ")
    if not holder or int(read_in) < max(since, int(epoch or 0)):
        raise Forgotten
    return holder


def revoke(key_hash: str) -> None:
    """From now on Redis says of this key that it opens nothing. Raises NoRedis."""
    ask(lambda server: server.set(keys.revoked(key_hash), 1, ex=REVOKED))
