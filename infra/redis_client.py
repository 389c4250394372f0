"""Connections to Redis: short waits, no retries, and a breaker for each server.

redis-py would repeat a command whose answer did not come, and with it a script that has run. Here
every command is sent once, and the caller decides what a missing answer means.

The keys of an application belong to one *shard*: they begin with the same hash tag, so they lie in
one slot of a cluster, and one script can change them together. A single server is one shard, whose
keys have no tag. In a cluster the server of a shard may change at any time.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from operator import methodcaller
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4
from zlib import crc32

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from infra.breaker import Breaker
from infra.service_errors import has_moved, meaning_of
from infra.timeouts import (
    REDIS_ANSWER_SECONDS,
    REDIS_CONNECT_SECONDS,
    REDIS_RETRIES,
    REDIS_SPARE_CONNECTIONS,
)

CLUSTER_SCHEME = "redis-cluster"
#: Fixed for ever: the shard of an application depends on it. More than masters, so that they can
#: be spread evenly; few enough that each has its own row, fence and epoch.
CLUSTER_SHARDS = 64


def redis_is_configured() -> bool:
    """Whether this installation has a Redis; without it the database does its work."""
    return bool(settings.ENVIRONMENT.redis_url)


def redis_is_cluster() -> bool:
    """Whether it is a cluster."""
    return bool(settings.ENVIRONMENT.redis_url.startswith(f"{CLUSTER_SCHEME}:"))


@dataclass(frozen=True, slots=True, order=True)
class Shard:
    """A part of the keys that lies on one server; `tag` is the beginning of their names."""

    number: int = 0
    tag: str = ""


@cache
def _cluster_shards() -> Sequence[Shard]:
    return [Shard(number, f"{{{number}}}") for number in range(CLUSTER_SHARDS)]


_ONLY = [Shard()]


def shards() -> Sequence[Shard]:
    """All shards of this installation; one, with or without Redis, unless it is a cluster."""
    return _cluster_shards() if redis_is_cluster() else _ONLY


def shard_of(name: str) -> Shard:
    """The shard of an application's token, or of another name."""
    all_shards = shards()
    if len(all_shards) == 1:
        return all_shards[0]
    return all_shards[crc32(name.encode("utf-8", "surrogatepass")) % len(all_shards)]


class RedisUnavailable(Exception):
    """There is no Redis, or it is unavailable, or it refuses: go on without it."""


class Server:
    """A server as this process reaches it, which all readers share."""

    def __init__(
        self, url: str, name: str, before_probe: Callable[[], object] | None = None
    ) -> None:
        self.name = name
        self._before_probe = before_probe
        self.pool = redis.ConnectionPool.from_url(
            url,
            socket_connect_timeout=REDIS_CONNECT_SECONDS,
            socket_timeout=REDIS_ANSWER_SECONDS,
            socket_keepalive=True,
            protocol=2,
            # One for each thread that serves requests, and some for the others.
            max_connections=settings.ENVIRONMENT.web_threads + REDIS_SPARE_CONNECTIONS,
            retry=Retry(NoBackoff(), REDIS_RETRIES),
            retry_on_error=[],
        )
        #: For reads, and for writes that may be repeated. It raises redis.RedisError.
        self.client = redis.Redis(connection_pool=self.pool)
        self.breaker = Breaker(name, self._probe)

    def new_client(self, seconds: float) -> redis.Redis:
        """A client with a connection of its own and this time limit, for probes."""
        kwargs = {
            **self.pool.connection_kwargs,
            "socket_timeout": seconds,
            "socket_connect_timeout": seconds,
        }
        pool = redis.ConnectionPool(connection_class=self.pool.connection_class, **kwargs)
        return redis.Redis.from_pool(pool)

    def _probe(self) -> None:
        if self._before_probe:
            self._before_probe()
        self.client.ping()

    def one_connection(self) -> redis.Redis:
        """A client whose connection is never replaced, so that one server gets all commands."""
        return redis.Redis(connection_pool=self.pool, single_connection_client=True)


@cache
def _single_server() -> Server:
    """The server of this process, made at first use, so after a fork."""
    return Server(settings.ENVIRONMENT.redis_url, "redis")


def server_of(shard: Shard) -> Server:
    """The server that has this shard, as far as is known. Raises RedisUnavailable."""
    if not redis_is_configured():
        raise RedisUnavailable("not configured")
    if not redis_is_cluster():
        return _single_server()
    from infra.redis_cluster import cluster  # noqa: PLC0415 - a single server needs none of it

    return cluster().server_of(shard)


def any_server() -> Server:
    """A server that is not known to be away, if there is one. Raises RedisUnavailable."""
    servers = {server.name: server for server in map(server_of, shards())}.values()
    return next((one for one in servers if not one.breaker.is_open), next(iter(servers)))


def learn_servers(error: Exception) -> bool:
    """Read again which server has which shard, if the error tells that this has changed."""
    has_changed = redis_is_cluster() and has_moved(error)
    if has_changed:
        find_servers()
    return has_changed


def find_servers() -> None:
    """Read again which server has which shard, unless there is only one."""
    if redis_is_cluster():
        from infra.redis_cluster import cluster  # noqa: PLC0415 - likewise

        cluster().refresh()


def forget_servers() -> None:
    """Close the connections of this process, and find the servers anew."""
    if _single_server.cache_info().currsize:
        _single_server().pool.disconnect()
    _single_server.cache_clear()
    if redis_cluster := sys.modules.get("infra.redis_cluster"):
        redis_cluster.forget_cluster()


Answer = TypeVar("Answer")


def ask_redis(shard: Shard, work: Callable[[Any], Answer]) -> Answer:
    """The result of `work`, which gets a redis.Redis of the shard's server.

    It may be called twice if the shard has moved. Raises RedisUnavailable, at once if that is
    known. The client is typed as Any, because redis-py's types also cover its asynchronous client.
    """
    server = server_of(shard)
    if server.breaker.is_open:
        raise RedisUnavailable("known to be away")
    try:
        try:
            return work(server.client)
        except redis.ResponseError as error:
            if not learn_servers(error):
                raise
            server = server_of(shard)
            return work(server.client)
    except redis.RedisError as error:
        meaning_of(error)  # logs an unknown error
        # A server that answers may refuse this command, as a replica would, and accept the next.
        if not isinstance(error, redis.ResponseError):
            server.breaker.open(error)
        raise RedisUnavailable(str(error)) from error


_SCANNED = 1000


def scan_pages(pattern: str) -> Iterator[tuple[Shard, Sequence[bytes]]]:
    """The keys that match, by shard, found by SCAN: some twice; no page is empty.

    The pattern begins behind the shard's tag. Raises RedisUnavailable.
    """
    for shard in shards():
        cursor = 0
        while True:
            scan = methodcaller("scan", cursor, match=shard.tag + pattern, count=_SCANNED)
            cursor, names = ask_redis(shard, scan)
            if names:
                yield shard, names
            if not cursor:
                break


_WRITE_PROBE = (Path(__file__).parent / "redis_write_probe.lua").read_text()
_PROBE_KEYS = ("counter", "hash", "sorted", "set")


def try_redis_write(server: redis.Redis, shard: Shard = _ONLY[0]) -> None:
    """Write by a script, as numbering does, to keys that expire. Raises redis.RedisError.

    A ping is not enough: a replica, or a server whose disk or memory is full, answers pings and
    refuses writes.
    """
    name = f"{shard.tag}trial:{{{uuid4().hex}}}"
    server.register_script(_WRITE_PROBE)(keys=[f"{name}:{each}" for each in _PROBE_KEYS])
