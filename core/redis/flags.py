"""Flags of the count job, as Redis holds them: for each kind a set of parents' names.

They are taken by rename, so what is flagged while the job counts stays for its next run. Those of
a run that died are there under the new name, and go first.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from operator import methodcaller
from typing import Any

import redis

from core.redis import keys
from core.redis.guard import ask
from core.rows import Key

BATCH = 500


def take_flags(kind: str) -> Iterator[Sequence[Key]]:
    """All parents that are flagged by now, in batches. Raises NoRedis.

    A batch is forgotten when the next one is asked for, so by then it must be kept elsewhere.
    """
    yield from _drain(kind)
    ask(partial(_rename, kind))
    yield from _drain(kind)


def _rename(kind: str, server: Any) -> None:
    try:
        # Not over the flags of a run that was overtaken and is still about.
        server.renamenx(keys.dirty(kind), keys.taken(kind))
    except redis.ResponseError as error:
        if "no such key" not in str(error):
            raise


def _drain(kind: str) -> Iterator[Sequence[Key]]:
    taken = keys.taken(kind)
    while names := ask(lambda server: server.srandmember(taken, BATCH)):
        yield [keys.parent_key(name.decode()) for name in names]
        # Name by name and not the whole set: it may have become another run's meanwhile.
        ask(methodcaller("srem", taken, *names))
