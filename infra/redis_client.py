"""Connections to Redis that never wait long and never repeat anything by themselves.

redis-py would repeat a command whose answer did not come, and with it a script that has run: here
every command is sent once, and who calls decides what an answer that did not come means.

Redis for all that can go on without it: reads, and what follows a commit.

A Redis that failed once is left alone until a probe finds it well again, so it costs one timeout
and not one each request. (What a failure means where numbers are taken: ingest.numbering.blocks.)

Whether Redis takes the writes by which rows are numbered; a ping does not tell.

A replica, a server without its replicas, one whose disk or memory is full and one whose permissions
were changed all answer, and refuse to write.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from infra.breaker import Breaker
from infra.service_errors import meaning_of
from infra.timeouts import (
    REDIS_ANSWER_SECONDS,
    REDIS_CONNECT_SECONDS,
    REDIS_RETRIES,
    REDIS_SPARE_CONNECTIONS,
)


def redis_is_configured() -> bool:
    """Whether this installation has a Redis at all; without, the database does its work."""
    return bool(settings.ENVIRONMENT.redis_url)


@cache
def redis_pool() -> redis.ConnectionPool:
    """The connections of this process, made when first needed (so after a fork)."""
    return redis.ConnectionPool.from_url(
        settings.ENVIRONMENT.redis_url,
        socket_connect_timeout=REDIS_CONNECT_SECONDS,
        socket_timeout=REDIS_ANSWER_SECONDS,
        socket_keepalive=True,
        protocol=2,
        # One for each thread that serves, and some for those that do not.
        max_connections=settings.ENVIRONMENT.web_threads + REDIS_SPARE_CONNECTIONS,
        retry=Retry(NoBackoff(), REDIS_RETRIES),
        retry_on_error=[],
    )


@cache
def redis_client() -> redis.Redis:
    """For reads, and for writes that may be repeated. Raises redis.RedisError."""
    return redis.Redis(connection_pool=redis_pool())


Answer = TypeVar("Answer")


class RedisUnavailable(Exception):
    """This installation has none, or it is away, or it refuses: go on without."""


@cache
def redis_breaker() -> Breaker:
    """The one that all readers of this process share."""
    return Breaker("redis", redis_client().ping)


def ask_redis(work: Callable[[Any], Answer]) -> Answer:
    """What `work` gets from Redis. Raises RedisUnavailable: at once where that is known already.

    It is given a redis.Redis, whose own types also stand for answers that are awaited.
    """
    if not redis_is_configured():
        raise RedisUnavailable("not configured")
    if redis_breaker().is_open:
        raise RedisUnavailable("known to be away")
    try:
        return work(redis_client())
    except redis.RedisError as error:
        meaning_of(error)  # logs an error that nobody knows
        # A server that answers may refuse this, as a replica or for a full disk, and take the next.
        if not isinstance(error, redis.ResponseError):
            redis_breaker().open(error)
        raise RedisUnavailable(str(error)) from error


_WRITE_PROBE = (Path(__file__).parent / "redis_write_probe.lua").read_text()
_PROBE_KEYS = ("counter", "hash", "sorted", "set")


def try_redis_write(server: redis.Redis) -> None:
    """Write and forget, by a script as numbering does. Raises redis.RedisError."""
    name = uuid4().hex
    server.register_script(_WRITE_PROBE)(keys=[f"trial:{{{name}}}:{each}" for each in _PROBE_KEYS])
