"""From the bytes of a request to plain values, with the size checked before anything is parsed."""

from collections.abc import Mapping
from typing import IO, Any
from urllib.parse import parse_qsl

import orjson
from django.http import UnreadablePostError
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from core.errors import Malformed, TooLarge

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
        """The JSON value. Raises Malformed or TooLarge."""
        try:
            return orjson.loads(read_limited(stream, parser_context))
        except orjson.JSONDecodeError as error:
            raise Malformed(f"The request is not valid JSON in UTF-8: {error}.") from None


class FormParser(BaseParser):
    """An HTML form, urlencoded; of a repeated field the last value counts."""

    media_type = "application/x-www-form-urlencoded"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, str]:
        """The fields by name. Raises Malformed or TooLarge."""
        return parse_form(read_limited(stream, parser_context))


def parse_form(encoded: bytes) -> dict[str, str]:
    """Fields of an urlencoded form or of a query string. Raises Malformed."""
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


def query_parameters(request: Request) -> dict[str, str]:
    """The parameters after the "?", as strictly as a form. Raises Malformed."""
    # WSGI hands bytes over as Latin-1 (PEP 3333).
    return parse_form(request.META.get("QUERY_STRING", "").encode("latin-1"))


def read_limited(stream: IO[Any], parser_context: Mapping[str, Any] | None) -> bytes:
    """The body, as long as it is not larger than its route takes. Raises TooLarge, Malformed."""
    context = parser_context or {}
    limit: int = getattr(context.get("view"), "max_request_bytes", MAX_REQUEST_BYTES)
    try:
        body: bytes = stream.read(limit + 1)
    except (UnreadablePostError, OSError) as error:
        raise Malformed(f"The request broke off: {error}.") from None
    if len(body) > limit:
        raise TooLarge(f"The request may have at most {limit} bytes.")
    # A client that hangs up looks like the end of the body; what it meant to say is not known.
    if len(body) < int(context["request"].META.get("CONTENT_LENGTH") or 0):
        raise Malformed("The request broke off: it is shorter than its Content-Length.")
    return body
