"""Which server of a Redis Cluster has which shard.

The cluster's own nodes tell it. A node that was cut off tells what was true before, so of several
answers that of the latest epoch of the cluster counts. While a server is away its breaker probes
for it twice a second, and each probe reads the map again: so a replica that took over is found
without a request.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Any
from urllib.parse import quote, urlsplit

import redis
from django.conf import settings
from redis.crc import key_slot

from infra.redis_client import CLUSTER_SCHEME, RedisUnavailable, Server, Shard

#: A map is read at most this often: many requests find out at the same time that it is old.
_EVERY_SECONDS = 0.1

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class _Map:
    """The addresses of the masters by ranges of slots, of an epoch of the cluster."""

    epoch: int
    ranges: Sequence[tuple[int, int, Address]]

    def master_of(self, slot: int) -> Address | None:
        return next((at for first, last, at in self.ranges if first <= slot <= last), None)


class Cluster:
    """The servers of a cluster that this process knows."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        _, _, hosts = parts.netloc.rpartition("@")
        self._login = f":{quote(parts.password, safe='')}@" if parts.password else ""
        self._servers: dict[Address, Server] = {
            (host, int(port or 6379)): self._server((host, int(port or 6379)))
            for host, _, port in (one.partition(":") for one in hosts.split(","))
        }
        self._map = _Map(0, ())
        self._read_at = float("-inf")
        self._reading = Lock()

    def server_of(self, shard: Shard) -> Server:
        """The master of the shard's slot. Raises RedisUnavailable if no node tells it."""
        slot = key_slot(str(shard.number).encode())
        if self._map.master_of(slot) is None:
            self.refresh()
        address = self._map.master_of(slot)
        if address is None:
            raise RedisUnavailable("no node of the cluster tells who has this shard")
        return self._servers[address]

    def refresh(self) -> None:
        """Read the map again, unless that was done a moment ago."""
        with self._reading:
            if time.monotonic() - self._read_at < _EVERY_SECONDS:
                return
            newest = max(self._maps(), key=lambda one: one.epoch, default=self._map)
            if newest.epoch >= self._map.epoch:
                for _, _, address in newest.ranges:
                    if address not in self._servers:
                        self._servers[address] = self._server(address)
                self._map = newest
            self._read_at = time.monotonic()

    def _maps(self) -> Iterator[_Map]:
        """What the nodes tell that answer; those that are known to be away are not asked."""
        for server in list(self._servers.values()):
            if server.breaker.is_open:
                continue
            try:
                yield _read_map(server)
            except redis.RedisError as error:
                if not isinstance(error, redis.ResponseError):
                    server.breaker.open(error)

    def _server(self, address: Address) -> Server:
        host, port = address
        return Server(f"redis://{self._login}{host}:{port}/0", f"redis {host}:{port}", self.refresh)

    def disconnect(self) -> None:
        """Close all connections."""
        for server in self._servers.values():
            server.pool.disconnect()


def _read_map(server: Server) -> _Map:
    client: Any = server.client
    info: Mapping[str, str] = client.execute_command("CLUSTER INFO")
    epoch = int(dict(info)["cluster_current_epoch"])
    ranges = [
        (first, last, (_text(master[0]), int(master[1])))
        for first, last, master, *_ in _raw_slots(client)
    ]
    return _Map(epoch, ranges)


def _raw_slots(client: Any) -> Sequence[Any]:
    """CLUSTER SLOTS as the server answers it."""
    connection = client.connection_pool.get_connection()
    try:
        connection.send_command("CLUSTER", "SLOTS")
        answer: Sequence[Any] = connection.read_response()
        return answer
    finally:
        client.connection_pool.release(connection)


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def forget_cluster() -> None:
    """Close its connections, and find it anew."""
    if cluster.cache_info().currsize:
        cluster().disconnect()
    cluster.cache_clear()


@cache
def cluster() -> Cluster:
    """The cluster of this process, found at first use, so after a fork."""
    assert settings.ENVIRONMENT.redis_url.startswith(CLUSTER_SCHEME)  # noqa: S101 - the caller's part
    return Cluster(settings.ENVIRONMENT.redis_url)
