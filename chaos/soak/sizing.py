"""Redis memory for each key, measured by copying keys.

Unlike `MEMORY USAGE`, this includes Redis's tables of keys and of expiries.
"""

import redis

from bench.services import services
from chaos import stack

#: Keys to copy. With few, the average depends on their number, because the tables double in size.
_COPIED = 100_000
_SCANNED = 1000


def bytes_per_key(pattern: str) -> float:
    """The average bytes of a matching key, with its share of Redis's tables; 0 without keys.

    The keys are copied to a scratch database, which is emptied afterwards.
    """
    with (
        stack.redis_client() as client,
        redis.Redis.from_url(services().scratch_redis_url) as scratch,
    ):
        scratch.flushdb()
        database = int(scratch.connection_pool.connection_kwargs["db"])
        before = _used(client)
        try:
            copied = 0
            for name in client.scan_iter(pattern, _SCANNED):
                copied += int(client.copy(name, name, destination_db=database))
                if copied == _COPIED:
                    break
            return (_used(client) - before) / copied if copied else 0.0
        finally:
            scratch.flushdb()


def _used(client: redis.Redis) -> int:
    return int(client.info("memory")["used_memory"])
