"""The bounds of one web process: its connections, and the bytes that it holds for them.

Both are bounded in total and for each client address. Bytes count from their arrival until the
response to their request. Everything here runs on the event loop's thread, so it needs no locks.
"""

import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Literal, Protocol

from prometheus_client import Counter, Gauge

from infra.addresses import network_of
from infra.logs import Event, get_logger
from infra.metrics import registry

logger = get_logger(__name__)

CONNECTIONS = Gauge(
    "chatsystem_http_connections",
    "Open connections of clients.",
    multiprocess_mode="livesum",
    registry=registry,
)
EDGE_REFUSED = Counter(
    "chatsystem_http_refused",
    "Clients refused before any view ran: too many connections, too much memory in use, no free "
    "thread in time, or a request that arrived too slowly.",
    ("bound",),
    registry=registry,
)

#: Connections beyond the limit, which serve the health routes alone.
SPARE_CONNECTIONS = 64
#: The part of the bytes that one address may hold.
_SHARE_OF_ONE_ADDRESS = 0.5
#: A bound that is reached is logged once in this time, however often it is reached.
_LOG_EVERY_SECONDS = 60.0

#: The reason of a refusal, as metrics and logs name it.
Bound = Literal["connections", "memory", "queue", "slow"]


class Closable(Protocol):
    """A connection."""

    def close(self) -> None:
        """Close it at once, without a response."""


class Streaming(Protocol):
    """A connection with a response that goes on."""

    def end_stream(self) -> None:
        """End that response."""


@dataclass(eq=False)
class Address:
    """One client's connections and bytes."""

    name: str
    connections: int = 0
    held_bytes: int = 0
    #: Ordered: the connection that has been idle longest comes first.
    idle: dict[Closable, None] = field(default_factory=dict)


class Connections:
    """All connections of this process; `limit` and `limit_per_address` bound their numbers."""

    def __init__(self, limit: int, limit_per_address: int, limit_bytes: int) -> None:
        self._limit = limit
        self._limit_per_address = limit_per_address
        self._limit_bytes = limit_bytes
        self._addresses: dict[str, Address] = {}
        #: Ordered like Address.idle: since when each connection has been idle.
        self._idle: dict[Closable, float] = {}
        self._count = 0
        self._held_bytes = 0
        #: Connections with a response that goes on.
        self.streaming: set[Streaming] = set()
        self._logged: dict[Bound, float] = defaultdict(lambda: -_LOG_EVERY_SECONDS)

    def open(self, peer: str) -> Address:
        """Count a new connection of this peer, and close an idle one if a limit is exceeded."""
        name = network_of(peer)
        address = self._addresses.get(name)
        if address is None:
            address = self._addresses[name] = Address(name)
        self._count += 1
        address.connections += 1
        CONNECTIONS.set(self._count)
        if address.connections > self._limit_per_address:
            _close_longest_idle(address.idle)
        if self._count > self._limit:
            _close_longest_idle(self._idle)
        return address

    def closed(self, address: Address, connection: Closable) -> None:
        """Stop counting a connection that was closed."""
        self.mark_busy(address, connection)
        self._count -= 1
        address.connections -= 1
        CONNECTIONS.set(self._count)
        if not address.connections:
            del self._addresses[address.name]

    def is_full(self, address: Address) -> bool:
        """Whether a limit is exceeded although all idle connections were closed."""
        return self._count > self._limit or address.connections > self._limit_per_address

    def is_overfull(self) -> bool:
        """Whether the spare connections are in use too."""
        return self._count > self._limit + SPARE_CONNECTIONS

    def mark_idle(self, address: Address, connection: Closable) -> None:
        """Note that no request is in progress on the connection."""
        self._idle[connection] = time.monotonic()
        address.idle[connection] = None

    def mark_busy(self, address: Address, connection: Closable) -> None:
        """Note that a request has begun on the connection."""
        if self._idle.pop(connection, None) is not None:
            del address.idle[connection]

    def close_idle(self, seconds: float = 0.0) -> None:
        """Close the connections that have been idle for at least this long."""
        latest = time.monotonic() - seconds
        for connection, _ in list(takewhile(lambda idle: idle[1] <= latest, self._idle.items())):
            connection.close()

    def hold(self, address: Address, count: int) -> bool:
        """Count bytes held for this address. Beyond a bound, return false and count nothing."""
        if (
            self._held_bytes + count > self._limit_bytes
            or address.held_bytes + count > self._limit_bytes * _SHARE_OF_ONE_ADDRESS
        ):
            return False
        self._held_bytes += count
        address.held_bytes += count
        return True

    def release(self, address: Address, count: int) -> None:
        """Stop counting bytes as held."""
        self._held_bytes -= count
        address.held_bytes -= count

    def count_refusal(self, bound: Bound) -> None:
        """Count that a client was refused, and log it at most once a minute."""
        EDGE_REFUSED.labels(bound).inc()
        now = time.monotonic()
        if now - self._logged[bound] >= _LOG_EVERY_SECONDS:
            self._logged[bound] = now
            logger.warning(Event.EDGE_FULL, bound=bound)


def _close_longest_idle(connections: Iterable[Closable]) -> None:
    longest = next(iter(connections), None)
    if longest is not None:
        longest.close()
