"""The header Idempotency-Key: a repeated request gets the first response again.

A key is valid for one path. The values of the two requests are compared, not their bytes, so a
repeat may send them as JSON or as a form.
"""

import re
from collections.abc import Iterator
from hashlib import blake2b
from uuid import UUID

import orjson
from rest_framework.request import Request

from infra.errors import FieldError, Invalid
from ingest.idempotency import IdempotentRequest, RequestKey

KEY_HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotency-Replayed"

_VISIBLE_ASCII = re.compile(r"[!-~]{1,255}\Z")


def idempotent_request(request: Request) -> IdempotentRequest | None:
    """Identify the request by its key; None without one. Raises Invalid, or a parser's error."""
    key = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if key is None:
        return None
    if not _VISIBLE_ASCII.match(key):
        message = f"{KEY_HEADER} must be 1 to 255 visible ASCII characters."
        raise Invalid(FieldError(KEY_HEADER, "invalid", message))
    path = request.path.rstrip("/")
    return IdempotentRequest(
        RequestKey(_digest(f"{path} {key}".encode()), _digest(_canonical(request.data)))
    )


def _canonical(value: object) -> bytes:
    """Encode equal values as the same bytes, whatever the order of their names."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        # orjson reads 1024 levels and writes 254.
        return b"".join(_pieces(value))


def _pieces(value: object) -> Iterator[bytes]:
    """Encode a nested value without recursion; each list and object is preceded by its length."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            yield b"{%d:" % len(one)
            left += (part for name in sorted(one, reverse=True) for part in (one[name], name))
        elif isinstance(one, list):
            yield b"[%d:" % len(one)
            left += reversed(one)
        else:
            yield orjson.dumps(one)


def _digest(content: bytes) -> str:
    """Return a UUID in hexadecimal, of version 5: those that are made from content."""
    return UUID(bytes=blake2b(content, digest_size=16).digest(), version=5).hex
