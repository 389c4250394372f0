"""Redis for all that can go on without it: reads, and what follows a commit.

A Redis that failed once is left alone until a probe finds it well again, so it costs one timeout
and not one each request. (What a failure means where numbers are taken: core.numbering.blocks.)
"""

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import redis

from core.breaker import Breaker
from core.redis.client import client, is_configured
from core.service_errors import meaning_of

Answer = TypeVar("Answer")


class NoRedis(Exception):
    """This installation has none, or it is away, or it refuses: go on without."""


@cache
def breaker() -> Breaker:
    """The one that all readers of this process share."""
    return Breaker("redis", client().ping)


def ask(work: Callable[[Any], Answer]) -> Answer:
    """What `work` gets from Redis. Raises NoRedis: at once where that is known already.

    It is given a redis.Redis, whose own types also stand for answers that are awaited.
    """
    if not is_configured():
        raise NoRedis("not configured")
    if breaker().is_open:
        raise NoRedis("known to be away")
    try:
        return work(client())
    except redis.RedisError as error:
        meaning_of(error)  # logs an error that nobody knows
        # A server that answers may refuse this, as a replica or for a full disk, and take the next.
        if not isinstance(error, redis.ResponseError):
            breaker().open(error)
        raise NoRedis(str(error)) from error
