"""JSON answers by orjson; times as ISO 8601 with microseconds, in UTC.

Answers in JSON, rendered where they are made: DRF's own way costs a tenth of a create.

Which formats a request and its answer have; there are few, so it takes little to find out.

From the bytes of a request to plain values, with the size checked before anything is parsed.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import IO, Any
from urllib.parse import parse_qsl

import orjson
from django.http import HttpResponse, UnreadablePostError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from infra.errors import Malformed, TooLarge


class JsonRenderer(BaseRenderer):
    """UTF-8 without escapes: a client reads what was written."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """The bytes of the answer; nothing for an answer without content."""
        return b"" if data is None else orjson.dumps(data)


def timestamp(moment: datetime) -> str:
    """As every route shows a time: 2026-01-31T12:00:00.000000Z."""
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def json_response(
    data: object, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    """The data, as any renderer of this API shows it."""
    content = JsonRenderer().render(data)
    return HttpResponse(
        content, status=status, content_type=JsonRenderer.media_type, headers=headers
    )


class JsonNegotiation(DefaultContentNegotiation):
    """DRF's negotiation, without its work where the client takes anything or just that format."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        """The one of this very media type; to DRF "*/*" would name any."""
        media_type = request.content_type.partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == media_type), None)

    def select_renderer(
        self,
        request: Request,
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,
    ) -> Any:
        """The renderer and its media type. Raises NotAcceptable."""
        renderer, *others = renderers
        accepts = request._request.META.get("HTTP_ACCEPT") or "*/*"
        if not others and accepts in ("*/*", renderer.media_type):
            return renderer, renderer.media_type
        return super().select_renderer(request, renderers, format_suffix)

    def get_accept_list(self, request: Request) -> list[str]:
        """The media types that the client accepts; an empty header says nothing."""
        return [name.strip() for name in (request.META.get("HTTP_ACCEPT") or "*/*").split(",")]


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
