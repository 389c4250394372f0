"""Addresses of clients, and lists of networks."""

from functools import cache, lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

_HOST_BITS = 64


@lru_cache(maxsize=10_000)
def network_of(text: str) -> str:
    """Name the client of an address: the IPv4 address, or the IPv6 /64 network.

    One client owns all addresses of a /64. Anything but an IP address, such as the path of a Unix
    socket, is the client "unknown".
    """
    try:
        address = ip_address(text)
    except ValueError:
        return "unknown"
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(IPv6Address(int(address) >> _HOST_BITS << _HOST_BITS))


@cache
def networks(value: str, setting: str = "OPERATOR_NETWORKS") -> list[IPv4Network | IPv6Network]:
    """Parse a comma-separated list of networks, the value of this setting. Raises ValueError."""
    try:
        return [ip_network(name.strip()) for name in value.split(",") if name.strip()]
    except ValueError as error:
        raise ValueError(
            f"{setting} must be networks like 10.0.0.0/8 or 127.0.0.1: {error}"
        ) from None
