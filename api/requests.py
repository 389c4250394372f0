"""Reads requests: their bodies as plain values, and the header Idempotency-Key.

The size of a body is checked before it is parsed. With a key, a repeated request gets the first
response again. A key is valid for one path. The values of the two requests are compared, not their
bytes, so a repeat may send them as JSON or as a form.
"""

import re
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import IO, Any
from uuid import UUID

import orjson
from django.http import UnreadablePostError
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from infra.errors import FieldError, Invalid, Malformed, TooLarge
from ingest.idempotency import IdempotentRequest, RequestKey
from listing.pages import parse_urlencoded

MAX_REQUEST_BYTES = 128 * 1024


class JsonParser(BaseParser):
    """Strict JSON in UTF-8: no NaN, no lone surrogate, no nesting beyond orjson's 1024 levels."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the JSON value. Raises Malformed or TooLarge."""
        try:
            return orjson.loads(_read_limited(stream, parser_context))
        except orjson.JSONDecodeError as error:
            raise Malformed(f"The request is not valid JSON in UTF-8: {error}.") from None


class FormParser(BaseParser):
    """An urlencoded HTML form; the last value of a repeated field counts."""

    media_type = "application/x-www-form-urlencoded"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, str]:
        """Return the fields by name. Raises Malformed or TooLarge."""
        return parse_urlencoded(_read_limited(stream, parser_context))


def _read_limited(stream: IO[Any], parser_context: Mapping[str, Any] | None) -> bytes:
    """Read the body, up to the view's `max_request_bytes`. Raises TooLarge, Malformed."""
    context = parser_context or {}
    limit: int = getattr(context.get("view"), "max_request_bytes", MAX_REQUEST_BYTES)
    try:
        body: bytes = stream.read(limit + 1)
    except (UnreadablePostError, OSError) as error:
        raise Malformed(f"The request broke off: {error}.") from None
    if len(body) > limit:
        raise TooLarge(f"The request may have at most {limit} bytes.")
    # A client that disconnects looks like the end of the body, so compare with the stated length.
    if len(body) < int(context["request"].META.get("CONTENT_LENGTH") or 0):
        raise Malformed("The request broke off: it is shorter than its Content-Length.")
    return body


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
