"""What the parts of the stack hold in memory, and how much waits in them, at one moment."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from bench.processes import bytes_held
from chaos import processes, stack
from chaos.database import query
from ingest import redis_keys

#: Of these every process counts, those that supervise the others too.
PROCESSES = ("web", "worker", "beat")
EVERY_BLOCK = redis_keys.block("*") + "*"
_SCANNED = 1000


@dataclass(frozen=True, slots=True)
class Sample:
    """`at`: seconds. `memory`: bytes by part, pages that processes share counted once.

    `requests` and `blocks` are the keys in Redis that a day of requests and that chats leave there.
    `waiting`: rows and messages by where they wait.
    """

    at: float
    memory: Mapping[str, int]
    redis_bytes: int
    requests: int
    blocks: int
    waiting: Mapping[str, int]


def sample() -> Sample:
    """As it is now. Raises OSError, RedisError or a database error while a service is away."""
    with stack.redis_client() as client:
        used = int(client.info("memory")["used_memory"])
        requests = sum(1 for _ in client.scan_iter(redis_keys.EVERY_REQUEST, _SCANNED))
        blocks = sum(1 for _ in client.scan_iter(EVERY_BLOCK, _SCANNED))
        parents = client.zrange(redis_keys.PENDING_PARENTS, 0, -1)
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
