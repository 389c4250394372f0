"""Who may see metrics and the state of the parts: clients of a network, or with a token.

The address is that of the connection, and no header is trusted: behind a proxy on the same machine
every client has the proxy's address. Without either setting nobody is an operator.
"""

from functools import lru_cache
from hmac import compare_digest
from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest

from infra.addresses import networks

_SCHEME = "Bearer "


def is_operator(request: HttpRequest) -> bool:
    """Whether OPERATOR_NETWORKS or METRICS_TOKEN let the request in."""
    return _is_in_networks(
        request.META.get("REMOTE_ADDR", ""), settings.ENVIRONMENT.operators_from
    ) or _has_token(request.META.get("HTTP_AUTHORIZATION", ""))


def _has_token(header: str) -> bool:
    token = settings.ENVIRONMENT.metrics_token
    given = header.removeprefix(_SCHEME)
    return bool(token and given != header) and compare_digest(
        given.encode("utf-8", "backslashreplace"), token.encode()
    )


@lru_cache(maxsize=1000)
def _is_in_networks(text: str, allowed: str) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in network for network in networks(allowed))
