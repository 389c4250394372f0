"""What Redis holds for many chats, by the product's own code: blocks of numbers, and their memory.

Needs Django to be set up with the product's settings.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from itertools import islice

from bench import BenchError
from infra.jobs import JobIsRunning
from infra.redis_client import RedisUnavailable, Shard, scan_pages, server_of
from ingest import redis_keys
from ingest.numbering.agent import NumberingAgent
from ingest.numbering.authority import read_authority
from ingest.numbering.blocks import (
    BlockDemand,
    RequestNumbers,
    ShardDemand,
    accept_together,
)
from ingest.numbering.errors import NoNumbers
from ingest.numbering.idle_blocks import NotNow, hand_back
from ingest.numbering.leases import FIRST_LEASE
from ingest.records import Lease

_OPENED_AT_ONCE = 1000
#: The stack of the benchmarks has a single server.
_ONLY = Shard()


def current_epoch() -> int:
    """The epoch in which numbers are given now."""
    return read_authority(_ONLY).epoch


def open_blocks(chats: Mapping[str, int]) -> None:
    """Open the blocks of chats 1 to N of each application in Redis, as creating those chats does.

    The lease of each application and chat must be in its row.
    """
    agent, server = NumberingAgent(), server_of(_ONLY).client
    try:
        generation, blocks = agent.authority(_ONLY).generation, agent.blocks[_ONLY]
        for token, count in chats.items():
            opened = blocks.open_all(generation, {token: 0})
            lease = Lease(generation.epoch, 1, count)
            blocks.install_all(generation, {token: (opened[token], lease)})
        for some in _demands(chats):
            [answer] = accept_together([ShardDemand(blocks, generation, some)])
            if isinstance(answer, NoNumbers):
                raise BenchError(f"Redis gives no numbers: {type(answer).__name__}")
            # Chats that are numbered are pending. These are stored already.
            tokens = [demand.parent for demand in some]
            server.zrem(redis_keys.pending_parents(_ONLY), *tokens)
            server.unlink(*map(redis_keys.pending, tokens))
    finally:
        agent.end()


def _demands(chats: Mapping[str, int]) -> Iterator[list[BlockDemand]]:
    """Demands for all of these chats, each list for at most _OPENED_AT_ONCE of them."""
    some: list[BlockDemand] = []
    room = _OPENED_AT_ONCE
    for token, count in chats.items():
        left = count
        while left:
            taken = min(left, room)
            some.append(BlockDemand(token, [RequestNumbers([b""] * taken)], FIRST_LEASE))
            left, room = left - taken, room - taken
            if not room:
                yield some
                some, room = [], _OPENED_AT_ONCE
    if some:
        yield some


def forget_blocks(chats: Mapping[str, int]) -> None:
    """Remove the blocks of these applications, and of their chats 1 to N, from Redis."""
    server = server_of(_ONLY).client
    for token, count in chats.items():
        numbers = iter(range(1, count + 1))
        server.unlink(redis_keys.block(token))
        while some := list(islice(numbers, _OPENED_AT_ONCE)):
            server.unlink(*(redis_keys.block(f"{token}/{number}") for number in some))


def forget_holders(key_hashes: Iterable[str]) -> None:
    """Remove from Redis what it knows of these keys, whose applications are removed."""
    hashes = iter(key_hashes)
    while some := list(islice(hashes, _OPENED_AT_ONCE)):
        server_of(_ONLY).client.unlink(*map(redis_keys.key_holder, some))


def hand_back_blocks(idle_seconds: float) -> int:
    """Hand back the blocks that were not used for this long; the number of them."""
    try:
        return hand_back(idle=timedelta(seconds=idle_seconds))
    except (JobIsRunning, NotNow, RedisUnavailable) as error:
        raise BenchError(f"blocks cannot be handed back: {error}") from error


def redis_bytes() -> int:
    """Memory that Redis uses beside the keys of idempotent requests."""
    server = server_of(_ONLY).client
    pipeline = server.pipeline(transaction=False)
    for _, names in scan_pages(redis_keys.EVERY_REQUEST):
        for name in names:
            pipeline.memory_usage(name)
    # A key that expires is also in a table of these; hardly any others are.
    expiring = server.memory_stats().get("db.0", {}).get("overhead.hashtable.expires", 0)
    of_requests = sum(size or 0 for size in pipeline.execute())
    used: int = server.info("memory")["used_memory"]
    return used - of_requests - (expiring if of_requests else 0)
