"""Which formats a request and its answer have; there are few, so it takes little to find out."""

from collections.abc import Iterable
from typing import Any

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


class OneFormat(DefaultContentNegotiation):
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
