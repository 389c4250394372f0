"""The addresses to which deliveries may go."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

from django.conf import settings

from infra.addresses import networks

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: All of IPv6 that strangers can reach. Outside are also the notations and translations of IPv4.
_IPV6_UNICAST = ip_network("2000::/3")
#: Versions of Python differ in these: protocol assignments, tunnels to IPv4, documentation, and the
#: address by which virtual machines of Azure reach their host.
_NOT_PUBLIC = tuple(
    map(
        ip_network,
        (
            "192.0.0.0/24",
            "192.88.99.0/24",
            "168.63.129.16/32",
            "2001::/23",
            "2001:db8::/32",
            "2002::/16",
            "3fff::/20",
        ),
    )
)


@dataclass(frozen=True)
class Destinations:
    """The addresses that deliveries may go to: public ones, and those in `allowed` networks."""

    allowed: tuple[Network, ...] = ()

    def permits(self, address: Address, *, is_encrypted: bool) -> bool:
        """Whether a connection may go there; without TLS only into an allowed network."""
        if any(address in network for network in self.allowed):
            return True
        return is_encrypted and _is_public(address)


def _is_public(address: Address) -> bool:
    """Whether strangers on the internet reach it, and it cannot stand for another address."""
    if address.version == 6 and address not in _IPV6_UNICAST:
        return False
    if any(address in network for network in _NOT_PUBLIC):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def destinations() -> Destinations:
    """The addresses that the settings permit."""
    value = settings.ENVIRONMENT.webhooks_inside
    return Destinations(tuple(networks(value, "WEBHOOK_ALLOWED_NETWORKS")))
