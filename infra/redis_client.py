"""Connections to Redis: short waits, no retries, and a breaker that all readers share.

redis-py would repeat a command whose answer did not come, and with it a script that has run. Here
every command is sent once, and the caller decides what a missing answer means.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from operator import methodcaller
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
    """Whether this installation has a Redis; without it the database does its work."""
    return bool(settings.ENVIRONMENT.redis_url)


@cache
def redis_pool() -> redis.ConnectionPool:
    """The connections of this process, created at first use, so after a fork."""
    return redis.ConnectionPool.from_url(
        settings.ENVIRONMENT.redis_url,
        socket_connect_timeout=REDIS_CONNECT_SECONDS,
        socket_timeout=REDIS_ANSWER_SECONDS,
        socket_keepalive=True,
        protocol=2,
        # One for each thread that serves requests, and some for the others.
        max_connections=settings.ENVIRONMENT.web_threads + REDIS_SPARE_CONNECTIONS,
        retry=Retry(NoBackoff(), REDIS_RETRIES),
        retry_on_error=[],
    )


@cache
def redis_client() -> redis.Redis:
    """A client for reads, and for writes that may be repeated. Raises redis.RedisError."""
    return redis.Redis(connection_pool=redis_pool())


Answer = TypeVar("Answer")


class RedisUnavailable(Exception):
    """There is no Redis, or it is unavailable, or it refuses: go on without it."""


@cache
def redis_breaker() -> Breaker:
    """The breaker that all readers of this process share."""
    return Breaker("redis", redis_client().ping)


def ask_redis(work: Callable[[Any], Answer]) -> Answer:
    """The result of `work`, which gets a redis.Redis.

    Raises RedisUnavailable, at once if that is known. The client is typed as Any, because
    redis-py's types also cover its asynchronous client.
    """
    if not redis_is_configured():
        raise RedisUnavailable("not configured")
    if redis_breaker().is_open:
        raise RedisUnavailable("known to be away")
    try:
        return work(redis_client())
    except redis.RedisError as error:
        meaning_of(error)  # logs an unknown error
        # A server that answers may refuse this command, as a replica would, and accept the next.
        if not isinstance(error, redis.ResponseError):
            redis_breaker().open(error)
        raise RedisUnavailable(str(error)) from error


_SCANNED = 1000


def scan_pages(pattern: str) -> Iterator[Sequence[bytes]]:
    """The keys that match, found by SCAN: some twice; no page is empty. Raises RedisUnavailable."""
    cursor = 0
    while True:
        cursor, names = ask_redis(methodcaller("scan", cursor, match=pattern, count=_SCANNED))
        if names:
            yield names
        if not cursor:
            return


_WRITE_PROBE = (Path(__file__).parent / "redis_write_probe.lua").read_text()
_PROBE_KEYS = ("counter", "hash", "sorted", "set")


def try_redis_write(server: redis.Redis) -> None:
    """Write by a script, as numbering does, to keys that expire. Raises redis.RedisError.

    A ping is not enough: a replica, or a server whose disk or memory is full, answers pings and
    refuses writes.
    """
    name = uuid4().hex
    server.register_script(_WRITE_PROBE)(keys=[f"trial:{{{name}}}:{each}" for each in _PROBE_KEYS])
