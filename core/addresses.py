"""Addresses of clients, as far as they tell one client from another."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address

_HOST_BITS = 64


@lru_cache(maxsize=10_000)
def network_of(text: str) -> str:
    """The IPv4 address, or the IPv6 /64 network, since one client has all addresses of that.

    Anything that is no address, such as that of a Unix socket, is one client: "unknown".
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
