"""Request bodies and query strings to plain values; the size is checked before parsing."""

from collections.abc import Mapping
from typing import IO, Any
from urllib.parse import parse_qsl

import orjson
from django.http import UnreadablePostError
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from infra.errors import Malformed, TooLarge

MAX_REQUEST_BYTES = 128 * 1024
_MAX_FORM_FIELDS = 100


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
        return _parse_form(_read_limited(stream, parser_context))


def query_parameters(request: Request) -> dict[str, str]:
    """Parse the query string as strictly as a form. Raises Malformed."""
    # WSGI passes bytes as Latin-1 (PEP 3333).
    return _parse_form(request.META.get("QUERY_STRING", "").encode("latin-1"))


def _parse_form(encoded: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            encoded.decode(),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MAX_FORM_FIELDS,
        )
    except ValueError as error:  # UnicodeDecodeError is one
        raise Malformed(f"The form or query string cannot be read: {error}.") from None
    return dict(pairs)


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
