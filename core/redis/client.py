"""Connections to Redis that never wait long and never repeat anything by themselves.

redis-py would repeat a command whose answer did not come, and with it a script that has run: here
every command is sent once, and who calls decides what an answer that did not come means.
"""

from functools import cache

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from core.timeouts import (
    REDIS_ANSWER_SECONDS,
    REDIS_CONNECT_SECONDS,
    REDIS_RETRIES,
    REDIS_SPARE_CONNECTIONS,
)


def is_configured() -> bool:
    """Whether this installation has a Redis at all; without, the database does its work."""
    return bool(settings.ENVIRONMENT.redis_url)


@cache
def pool() -> redis.ConnectionPool:
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
def client() -> redis.Redis:
    """For reads, and for writes that may be repeated. Raises redis.RedisError."""
    return redis.Redis(connection_pool=pool())
