"""Flags of the count job, as Redis holds them: for each kind a set of parents' names.

They are taken by rename, so what is flagged while the job counts stays for its next run. Those of
a run that died are there under the new name, and go first.

Which parents the count job has to look at: flags in the table, and how those of Redis get there.

While rows go through Redis, their parents' flags are collected there: a write of its own for each
parent would cost the workers more than the rows do. The count job takes them over before it counts,
and then knows of one place only.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from operator import methodcaller
from typing import Any

import redis

from infra.logs import Event, get_logger
from infra.redis_client import RedisUnavailable, ask_redis, redis_is_configured
from ingest import redis_keys
from ingest.numbering.authority import read_authority
from ingest.numbering.fencing import verify_if_restarted
from ingest.numbering.models import NumberAuthority
from ingest.post_commit import flag_in_database
from ingest.records import Key, record_types

FLAG_BATCH = 500


def take_flags(kind: str) -> Iterator[Sequence[Key]]:
    """All parents that are flagged by now, in batches. Raises NoRedis.

    A batch is forgotten when the next one is asked for, so by then it must be kept elsewhere.
    """
    yield from _drain_flags(kind)
    ask_redis(partial(_rename_flags, kind))
    yield from _drain_flags(kind)


def _rename_flags(kind: str, server: Any) -> None:
    try:
        # Not over the flags of a run that was overtaken and is still about.
        server.renamenx(redis_keys.dirty(kind), redis_keys.dirty_taken(kind))
    except redis.ResponseError as error:
        if "no such key" not in str(error):
            raise


def _drain_flags(kind: str) -> Iterator[Sequence[Key]]:
    taken = redis_keys.dirty_taken(kind)
    while names := ask_redis(lambda server: server.srandmember(taken, FLAG_BATCH)):
        yield [redis_keys.parent_key(name.decode()) for name in names]
        # Name by name and not the whole set: it may have become another run's meanwhile.
        ask_redis(methodcaller("srem", taken, *names))


logger = get_logger(__name__)


def take_over_flags(batch_done: Callable[[], object] = lambda: None) -> int | None:
    """Make Redis' flags flags of the database; without Redis they stay where they are.

    The epoch in which flags were lost, so that everything must be counted; None if none were.
    `batch_done` is called between short pieces of work. Raises OperationalError.
    """
    if not redis_is_configured():
        return None
    authority = read_authority()
    try:
        # A Redis that has lost its flags, and nobody knows yet, would have none to take.
        authority = verify_if_restarted()
        for kind in record_types().values():
            for parents in take_flags(kind.name):
                flag_in_database(kind, parents)
                batch_done()
    except RedisUnavailable as error:
        logger.warning(Event.FLAGS_STAY, error=error)
    return authority.epoch if authority.needs_full_count else None


def note_full_count(epoch: int) -> None:
    """Everything has been counted since flags were lost, unless another epoch has begun."""
    NumberAuthority.objects.filter(epoch=epoch).update(needs_full_count=False)
