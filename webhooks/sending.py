"""Sends one signed POST request, and says how it ended. It uses no database.

The answer is data of a stranger: 4 KiB of it are read, its beginning is kept without anything that
a terminal or a page obeys, and no redirect is followed.
"""

import re
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpcore

from infra.logs.formatting import visible
from webhooks.destinations import Destinations
from webhooks.models import MAX_ANSWER_CHARACTERS, Answer, Outcome
from webhooks.network import AddressRefused, CheckedBackend, tls_context
from webhooks.rules import Endpoint

MAX_ANSWER_BYTES = 4096
#: The statuses that may tell when to come back.
_LATER = (429, 503)
_HEADERS: Mapping[str, str] = {
    "accept": "*/*",
    "connection": "close",
    "content-type": "application/json",
    "user-agent": "chatsystem-webhooks/1",
}
#: The first kind that an error is counts.
_OUTCOMES: Mapping[type[Exception], Outcome] = {
    AddressRefused: Outcome.ADDRESS,
    ssl.SSLError: Outcome.TLS,
    httpcore.TimeoutException: Outcome.TIMEOUT,
    TimeoutError: Outcome.TIMEOUT,
    httpcore.ProtocolError: Outcome.PROTOCOL,
    httpcore.NetworkError: Outcome.CONNECTION,
    OSError: Outcome.CONNECTION,
}
_SECONDS = re.compile(r"[0-9]{1,9}", re.ASCII)


def send(
    endpoint: Endpoint,
    headers: Mapping[str, str],
    body: bytes,
    *,
    destinations: Destinations,
    deadline: float,
) -> Answer:
    """Send a request that ends before `deadline`, by time.monotonic(); all errors are answers."""
    if time.monotonic() >= deadline:
        return Answer(Outcome.TIMEOUT)
    try:
        return _send(endpoint, headers, body, destinations, deadline)
    except tuple(_OUTCOMES) as error:
        outcome = next(one for kind, one in _OUTCOMES.items() if isinstance(error, kind))
        return Answer(outcome, text=_safe(str(error)))


def _send(
    endpoint: Endpoint,
    headers: Mapping[str, str],
    body: bytes,
    destinations: Destinations,
    deadline: float,
) -> Answer:
    url = httpcore.URL(
        scheme=endpoint.scheme, host=endpoint.host, port=endpoint.port, target=endpoint.target
    )
    backend = CheckedBackend(destinations, deadline, is_encrypted=endpoint.is_encrypted)
    with (
        httpcore.HTTPConnection(
            url.origin, ssl_context=tls_context(), network_backend=backend, retries=0
        ) as connection,
        connection.stream(
            "POST",
            url,
            headers=[*_HEADERS.items(), *headers.items(), ("host", endpoint.netloc)],
            content=body,
        ) as response,
    ):
        status = response.status
        return Answer(
            Outcome.DELIVERED if 200 <= status < 300 else Outcome.STATUS,
            status,
            _text(response),
            _retry_after(response) if status in _LATER else None,
        )


def _text(response: httpcore.Response) -> str:
    """The beginning of the body. The status counts, even if the body breaks off or hangs."""
    read = b""
    with suppress(
        httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, OSError
    ):
        for piece in response.iter_stream():
            read += piece[: MAX_ANSWER_BYTES - len(read)]
            if len(read) >= MAX_ANSWER_BYTES:
                break
    return _safe(read.decode(errors="replace"))


def _safe(text: str) -> str:
    return visible(text[:MAX_ANSWER_CHARACTERS])[:MAX_ANSWER_CHARACTERS]


def _retry_after(response: httpcore.Response) -> float | None:
    """The seconds that Retry-After names, as a number or as a date; None if it is neither."""
    for name, value in response.headers:
        if name.lower() == b"retry-after":
            text = value.decode("latin-1").strip()
            if _SECONDS.fullmatch(text):
                return float(text)
            with suppress(ValueError, TypeError, IndexError, OverflowError):
                at = parsedate_to_datetime(text)
                at = at if at.tzinfo else at.replace(tzinfo=UTC)
                return max((at - datetime.now(UTC)).total_seconds(), 0)
    return None
