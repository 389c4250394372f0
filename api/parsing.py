"""Request bodies to plain values; the size is checked before parsing."""

from collections.abc import Mapping
from typing import IO, Any

import orjson
from django.http import UnreadablePostError
from rest_framework.parsers import BaseParser

from infra.errors import Malformed, TooLarge
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
