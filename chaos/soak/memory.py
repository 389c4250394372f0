"""A sample of the stack's memory and backlogs."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from bench.processes import bytes_held
from chaos import processes, stack
from chaos.database import query
from infra.redis_client import Shard
from ingest import redis_keys

#: Parts whose memory is summed over all processes, including parents.
PROCESSES = ("web", "worker", "beat")
_SCANNED = 1000


@dataclass(frozen=True, slots=True)
class Sample:
    """`at`: monotonic seconds. `memory`: bytes by part; shared pages count once.

    `requests`, `blocks`: numbers of Redis keys for idempotent requests (kept for a day) and for
    blocks of numbers. `waiting`: sizes of the backlogs by name.
    """

    at: float
    memory: Mapping[str, int]
    redis_bytes: int
    requests: int
    blocks: int
    waiting: Mapping[str, int]


def sample() -> Sample:
    """A sample of now. Raises OSError, RedisError or a database error if a service is down."""
    with stack.redis_client() as client:
        used = int(client.info("memory")["used_memory"])
        requests = sum(1 for _ in client.scan_iter(redis_keys.EVERY_REQUEST, _SCANNED))
        blocks = sum(1 for _ in client.scan_iter(redis_keys.EVERY_BLOCK, _SCANNED))
        parents = client.zrange(redis_keys.pending_parents(Shard()), 0, -1)
        pending = sum(client.zcard(redis_keys.pending(name.decode())) for name in parents)
    [(backlog,)] = query("SELECT COUNT(*) FROM index_backlog")
    return Sample(
        at=time.monotonic(),
        memory={part: sum(map(bytes_held, processes.of_part(part))) for part in PROCESSES},
        redis_bytes=used,
        requests=requests,
        blocks=blocks,
        waiting={
            "task messages": stack.queued(*stack.queues()),
            "pending rows": pending,
            "changes to be indexed": backlog,
        },
    )
