"""What one key of a sort costs Redis, found by having as many of them once more.

`MEMORY USAGE` leaves out what the tables of keys and of expiries need; this does not.
"""

import redis

from bench.services import services
from chaos import stack

#: So many are enough; the tables double in size, so with few the average depends on how many.
_COPIED = 100_000
_SCANNED = 1000


def bytes_per_key(pattern: str) -> float:
    """The average over the keys that match, with their share of Redis's own tables; 0 without any.

    They are copied into a scratch database, which is emptied afterwards.
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
