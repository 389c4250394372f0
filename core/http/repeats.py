"""Idempotency-Key: a request that may be repeated gets the first answer again.

A key counts for one path, in whatever form its values are sent: what is compared is what they say.
"""

import re
from hashlib import blake2b

import orjson
from rest_framework.request import Request

from core.accept.submission import Repeatable
from core.errors import FieldError, Invalid
from core.rows import RequestKey
from core.uuids import uuid_of

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"

_VISIBLE_ASCII = re.compile(r"[!-~]{1,255}\Z")


def repeatable(request: Request) -> Repeatable | None:
    """The request by its key, if it has one. Raises Invalid, and what reading its body raises."""
    asked = request._request  # DRF's looks each attribute up twice
    key = asked.META.get("HTTP_IDEMPOTENCY_KEY")
    if key is None:
        return None
    if not _VISIBLE_ASCII.match(key):
        message = f"{HEADER} must be 1 to 255 visible ASCII characters."
        raise Invalid(FieldError(HEADER, "invalid", message))
    path = asked.path.rstrip("/")
    says = orjson.dumps(request.data, option=orjson.OPT_SORT_KEYS)
    return Repeatable(
        RequestKey(
            _digest(f"{path} {key}".encode()),
            _digest(says),
        )
    )


def _digest(content: bytes) -> str:
    digest = int.from_bytes(blake2b(content, digest_size=16).digest())
    return uuid_of(digest, 5)  # the version of those that are made from a name
