"""How values are written in the environment: lists, networks, URLs."""

from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import urlsplit


def names(value: str) -> list[str]:
    """What is written with commas between."""
    return [name.strip() for name in value.split(",") if name.strip()]


@cache
def networks(value: str) -> list[IPv4Network | IPv6Network]:
    """The networks that are written with commas between. Raises ValueError."""
    try:
        return [ip_network(name) for name in names(value)]
    except ValueError as error:
        raise ValueError(
            f"OPERATOR_NETWORKS must be networks like 10.0.0.0/8 or 127.0.0.1: {error}"
        ) from None


def checked_url(name: str, value: str, schemes: tuple[str, ...], need_host: tuple[str, ...]) -> str:
    """The URL, or nothing where nothing is given. Raises ValueError."""
    if not value:
        return value
    wanted = " or ".join(f"{scheme}://…" for scheme in schemes)
    try:
        parts = urlsplit(value)
        port_is_sane = parts.port is None or parts.port > 0
    except ValueError as error:
        raise ValueError(f"{name} is not a URL ({error}); expected {wanted}") from None
    if parts.scheme not in schemes:
        raise ValueError(f"{name} must begin with {wanted}, not {parts.scheme or value!r}")
    if parts.scheme in need_host and not (parts.hostname and port_is_sane):
        raise ValueError(f"{name} names no host: {wanted}")
    if parts.scheme == "mysql" and not parts.path.strip("/"):
        raise ValueError(f"{name} names no database: mysql://user:password@host:3306/database")
    return value


def without_password(url: str) -> str:
    """The URL as it may be shown."""
    parts = urlsplit(url)
    if not parts.password:
        return url
    return url.replace(f":{parts.password}@", ":***@")
