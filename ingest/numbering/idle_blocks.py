"""Hands the blocks of idle parents back, so that Redis' memory follows the chats that are used.

A block takes some 150 bytes, for every chat that there ever was. Of a block that nobody has used
for days the rest of the lease goes back to the database, so that no gap arises, and then the key
goes. The next number of such a parent takes a new lease.

The order matters, since the job may die between any two steps. First the lease of the row begins
at the block's next number: a block that ends before its lease gets all of it again. Then, while
the row is locked, the block ends at its next number, unless that was given meanwhile, and the row
loses its lease. From then on the key says nothing that the row does not say.

A database that is restored from a copy knows only the numbers of its time. Redis knows those given
since as long as it has the blocks: hence the days.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import Any

from django.db.models import QuerySet

from infra.database import in_transaction
from infra.jobs import only_run
from infra.natural_keys import by_pk, number_by_pk, with_keys
from infra.redis_client import Shard, ask_redis, scan_pages
from ingest import redis_keys
from ingest.metrics import LEASES
from ingest.models import Generation, Parent, Source
from ingest.numbering.agent import NumberingAgent
from ingest.numbering.authority import hold_authorities
from ingest.numbering.blocks import Block, Blocks
from ingest.numbering.errors import NoNumbers
from ingest.numbering.leases import by_kind
from ingest.records import Key, RecordType

IDLE = timedelta(days=2)
#: The rows of so many parents are locked at once, for milliseconds.
BATCH = 200

JOB = "hand_back_blocks"

_Seen = Mapping[Key, Block]


class NotNow(Exception):
    """Redis cannot give numbers just now, and takes none back."""


_returned = LEASES.labels("returned")


def hand_back(*, idle: timedelta = IDLE, should_stop: Callable[[], bool] = lambda: False) -> int:
    """Hand back the blocks that were not used for this long; the number of them.

    `idle` must be longer than any request takes. It may end early, and the next run goes on. Raises
    JobIsRunning, NotNow, RedisUnavailable and OperationalError.
    """
    with only_run(JOB) as run:
        count = 0
        agent = NumberingAgent()
        try:
            for handed_back in _batches(agent, idle):
                count += handed_back
                run.still_alive()
                if should_stop():
                    break
        except NoNumbers as error:
            raise NotNow(f"{type(error).__name__}: {error}") from error
        finally:
            agent.end()
        run.outcome = {"blocks": count}
        return count


def _batches(agent: NumberingAgent, idle: timedelta) -> Iterator[int]:
    """Hand back batch by batch; yields the number of blocks of each."""
    for shard, parents in _idle_parents(idle):
        for authority in agent.authorities_of([shard], Source.REDIS):
            seen = _present_blocks(shard, parents, authority.generation)
            for kind, keys in by_kind(seen).items():
                of_kind = {key: seen[key] for key in keys}
                yield _hand_back(agent.blocks[shard], authority.generation, kind, of_kind)


def _idle_parents(idle: timedelta) -> Iterator[tuple[Shard, Sequence[str]]]:
    """The names of parents whose blocks were not used for this long, in batches of a shard."""
    for shard, names in scan_pages(redis_keys.EVERY_BLOCK):

        def ask(server: Any, names: Sequence[bytes] = names) -> Any:
            pipeline = server.pipeline(transaction=False)
            for name in names:
                pipeline.object("IDLETIME", name)
            return pipeline.execute()

        idle_for = zip(names, ask_redis(shard, ask), strict=True)
        parents = (
            redis_keys.parent_of_key(name.decode())
            for name, seconds in idle_for
            if seconds is not None and seconds >= idle.total_seconds()
        )
        while batch := list(islice(parents, BATCH)):
            yield shard, batch


def _present_blocks(shard: Shard, parents: Sequence[str], generation: Generation) -> _Seen:
    """Their blocks of this epoch. An older one says which numbers were given before it."""

    def ask(server: Any) -> Any:
        pipeline = server.pipeline(transaction=False)
        for parent in parents:
            pipeline.hmget(redis_keys.block(parent), "epoch", "next", "last")
        return pipeline.execute()

    found = {
        name: [int(number) for number in block]
        for name, block in zip(parents, ask_redis(shard, ask), strict=True)
        if None not in block
    }
    return {
        redis_keys.parent_key(name): Block(next_number, last)
        for name, (epoch, next_number, last) in found.items()
        if epoch == generation.epoch
    }


def _hand_back(blocks: Blocks, generation: Generation, kind: RecordType, seen: _Seen) -> int:
    in_transaction(partial(_begin_leases, blocks, generation, kind, seen))
    ended = in_transaction(partial(_end_leases, blocks, generation, kind, seen))
    blocks.forget(generation, {redis_keys.parent_name(key): seen[key].next for key in ended})
    _returned.inc(len(ended))
    return len(ended)


def _begin_leases(blocks: Blocks, generation: Generation, kind: RecordType, seen: _Seen) -> None:
    """Let each lease begin at the next number. If that is given meanwhile, it does no harm."""
    rows = _locked(blocks.shard, generation, kind, seen)
    firsts = {row.pk: seen[row.key].next for row in rows}
    _again(kind, rows).update(lease_first=number_by_pk(kind.parent, firsts))


def _end_leases(
    blocks: Blocks, generation: Generation, kind: RecordType, seen: _Seen
) -> Sequence[Key]:
    """End these blocks and leases at the next number; the parents whose block was unchanged."""
    rows = _locked(blocks.shard, generation, kind, seen)
    wanted = {redis_keys.parent_name(row.key): seen[row.key] for row in rows}
    ended = blocks.end_early(generation, wanted) if wanted else ()
    rows = [row for row in rows if redis_keys.parent_name(row.key) in ended]
    ceilings = {row.pk: seen[row.key].next - 1 for row in rows}
    _again(kind, rows).update(
        number_ceiling=number_by_pk(kind.parent, ceilings),
        lease_first=None,
        lease_last=None,
        lease_at=None,
    )
    return [row.key for row in rows]


def _again(kind: RecordType, rows: Iterable[Parent]) -> "QuerySet[Parent]":
    return kind.parent._default_manager.filter(by_pk(rows))


def _locked(shard: Shard, generation: Generation, kind: RecordType, seen: _Seen) -> list[Parent]:
    """The rows whose lease ends as the block does, and with it all that was lent.

    A row that is missing is not stored yet. Another lease is being installed just now.
    """
    hold_authorities({shard: generation.epoch}, Source.REDIS)
    rows = kind.parent._default_manager.select_for_update().filter(
        with_keys(kind.parent_fields, seen), lease_epoch=generation.epoch
    )
    rows = rows.only(*kind.parent_fields, "number_ceiling", "lease_last")
    return [
        row
        for row in rows.order_by("pk")
        if row.lease_last == row.number_ceiling == seen[row.key].last
    ]
