"""Idempotency-Key: a request that may be repeated gets the first answer again.

A key counts for one path, in whatever form its values are sent: what is compared is what they say.
"""

import re
from collections.abc import Iterator
from hashlib import blake2b

import orjson
from rest_framework.request import Request

from infra.errors import FieldError, Invalid
from infra.ids import make_uuid
from ingest.idempotency.keys import IdempotentRequest, RequestKey

KEY_HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotency-Replayed"

_VISIBLE_ASCII = re.compile(r"[!-~]{1,255}\Z")


def idempotent_request(request: Request) -> IdempotentRequest | None:
    """The request by its key, if it has one. Raises Invalid, and what reading its body raises."""
    asked = request._request  # DRF's looks each attribute up twice
    key = asked.META.get("HTTP_IDEMPOTENCY_KEY")
    if key is None:
        return None
    if not _VISIBLE_ASCII.match(key):
        message = f"{KEY_HEADER} must be 1 to 255 visible ASCII characters."
        raise Invalid(FieldError(KEY_HEADER, "invalid", message))
    path = asked.path.rstrip("/")
    return IdempotentRequest(
        RequestKey(
            _digest(f"{path} {key}".encode()),
            _digest(_canonical(request.data)),
        )
    )


def _canonical(value: object) -> bytes:
    """The same bytes for equal values, whatever the order of their names."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        # orjson reads 1024 levels and writes 254.
        return b"".join(_pieces(value))


def _pieces(value: object) -> Iterator[bytes]:
    """A nested value piece by piece, each list and object with its length. Without recursion."""
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
    digest = int.from_bytes(blake2b(content, digest_size=16).digest())
    return make_uuid(digest, 5)  # the version of those that are made from a name
