"""Dirty flags in Redis: the parents that the count job has to count.

Workers flag the parents of stored rows in Redis, in one set of names for each type of record: an
update in the database for each parent would cost them more than the rows. Before the count job
counts, it turns these flags into marks in the database.

The job takes the set by renaming it, so a parent flagged while the job counts stays flagged for the
next run. A set left under the new name by a run that died is taken first.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from operator import methodcaller
from typing import Any

import redis

from infra.logs import Event, get_logger
from infra.redis_client import RedisUnavailable, ask_redis, redis_is_configured
from ingest import redis_keys
from ingest.models import NumberAuthority
from ingest.numbering.authority import read_authority
from ingest.numbering.fencing import verify_if_restarted
from ingest.post_commit import flag_in_database
from ingest.records import Key, record_types

logger = get_logger(__name__)

FLAG_BATCH = 500


def take_flags(kind: str) -> Iterator[Sequence[Key]]:
    """All flagged parents, in batches. Raises RedisUnavailable.

    Requesting the next batch deletes the flags of the one before, so store a batch first.
    """
    yield from _drain_flags(kind)
    ask_redis(partial(_rename_flags, kind))
    yield from _drain_flags(kind)


def _rename_flags(kind: str, server: Any) -> None:
    try:
        # Do not overwrite the flags that an overtaken run is still working on.
        server.renamenx(redis_keys.dirty(kind), redis_keys.dirty_taken(kind))
    except redis.ResponseError as error:
        if "no such key" not in str(error):
            raise


def _drain_flags(kind: str) -> Iterator[Sequence[Key]]:
    taken = redis_keys.dirty_taken(kind)
    while names := ask_redis(lambda server: server.srandmember(taken, FLAG_BATCH)):
        yield [redis_keys.parent_key(name.decode()) for name in names]
        # Remove names and not the whole set: another run may have taken it over meanwhile.
        ask_redis(methodcaller("srem", taken, *names))


def take_over_flags(batch_done: Callable[[], object] = lambda: None) -> int | None:
    """Turn the flags in Redis into marks in the database; if Redis is down, they stay there.

    Return the epoch in which flags were lost, so that everything must be counted; None if none
    were. `batch_done` is called after each batch. Raises OperationalError.
    """
    if not redis_is_configured():
        return None
    authority = read_authority()
    try:
        # Check first whether Redis has just lost its data, and with them the flags.
        authority = verify_if_restarted()
        for kind in record_types().values():
            for parents in take_flags(kind.name):
                flag_in_database(kind, parents)
                batch_done()
    except RedisUnavailable as error:
        logger.warning(Event.FLAGS_STAY, error=error)
    return authority.epoch if authority.needs_full_count else None


def note_full_count(epoch: int) -> None:
    """Record that everything was counted since flags were lost in this epoch.

    No effect if a newer epoch has begun.
    """
    NumberAuthority.objects.filter(epoch=epoch).update(needs_full_count=False)
