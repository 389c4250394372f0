"""The bounds of one web process: how many connections it has, and what it holds for them.

Both are bounded as a whole and for each client address. A process that has all the connections it
may have closes the one that has been idle longest, so idle clients never lock others out. Bytes
count from their arrival until their request is answered.

A client is its IPv4 address or its IPv6 /64 network, because a host owns all addresses of that.
Everything here runs on the event loop's thread, so nothing is locked.
"""

import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from infra.addresses import network_of
from infra.logs import Event, get_logger
from infra.metrics import CONNECTIONS, EDGE_REFUSED

logger = get_logger(__name__)

#: Connections beyond the bound, on which the health routes alone are answered.
SPARE_CONNECTIONS = 64
#: One address may hold this part of the bytes.
_SHARE_OF_ONE_ADDRESS = 0.5
#: A bound that is reached is logged once in this time, however often it is reached.
_LOG_EVERY_SECONDS = 60.0


#: What a client was refused for, as metrics and logs name it.
Bound = Literal["connections", "memory", "queue", "slow"]


class Closable(Protocol):
    """A connection."""

    def close(self) -> None:
        """Close it, at once and without an answer."""


@dataclass(eq=False)
class Address:
    """One client's part of the bounds."""

    name: str
    connections: int = 0
    held_bytes: int = 0
    #: The one that has been idle longest comes first.
    idle: dict[Closable, None] = field(default_factory=dict)


class Connections:
    """All connections of this process; `limit` and `limit_per_address` count them."""

    def __init__(self, limit: int, limit_per_address: int, limit_bytes: int) -> None:
        self._limit = limit
        self._limit_per_address = limit_per_address
        self._limit_bytes = limit_bytes
        self._addresses: dict[str, Address] = {}
        self._idle: dict[Closable, Address] = {}
        self._count = 0
        self._held_bytes = 0
        self._logged: dict[Bound, float] = defaultdict(lambda: -_LOG_EVERY_SECONDS)

    def enter(self, peer: str) -> Address:
        """A connection of this peer is open; make room for it where that is needed."""
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

    def leave(self, address: Address, connection: Closable) -> None:
        """A connection is closed."""
        self.busy(address, connection)
        self._count -= 1
        address.connections -= 1
        CONNECTIONS.set(self._count)
        if not address.connections:
            del self._addresses[address.name]

    def is_full(self, address: Address) -> bool:
        """Whether there are more connections than there may be, all of them busy."""
        return self._count > self._limit or address.connections > self._limit_per_address

    def is_overfull(self) -> bool:
        """Whether the spare ones are taken too."""
        return self._count > self._limit + SPARE_CONNECTIONS

    def idle(self, address: Address, connection: Closable) -> None:
        """No request is under way on the connection."""
        self._idle[connection] = address
        address.idle[connection] = None

    def busy(self, address: Address, connection: Closable) -> None:
        """A request has begun on it."""
        if self._idle.pop(connection, None):
            del address.idle[connection]

    def close_idle(self) -> None:
        """Close all connections on which no request is under way."""
        for connection in list(self._idle):
            connection.close()

    def hold(self, address: Address, count: int) -> bool:
        """Count bytes that are held for this address; false, and not counted, beyond a bound."""
        if (
            self._held_bytes + count > self._limit_bytes
            or address.held_bytes + count > self._limit_bytes * _SHARE_OF_ONE_ADDRESS
        ):
            return False
        self._held_bytes += count
        address.held_bytes += count
        return True

    def release(self, address: Address, count: int) -> None:
        """These bytes are not held any more."""
        self._held_bytes -= count
        address.held_bytes -= count

    def refused(self, bound: Bound) -> None:
        """Count that a client was refused, and log it now and then."""
        EDGE_REFUSED.labels(bound).inc()
        now = time.monotonic()
        if now - self._logged[bound] >= _LOG_EVERY_SECONDS:
            self._logged[bound] = now
            logger.warning(Event.EDGE_FULL, bound=bound)


def _close_longest_idle(connections: Iterable[Closable]) -> None:
    longest = next(iter(connections), None)
    if longest is not None:
        longest.close()
