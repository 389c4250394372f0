"""Which format an answer has: there is one, so most requests need no negotiation."""

from collections.abc import Iterable
from typing import Any

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


class OneFormat(DefaultContentNegotiation):
    """DRF's negotiation, without its work where the client takes anything or just that format."""

    def select_renderer(
        self,
        request: Request,
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,
    ) -> Any:
        """The renderer and its media type. Raises NotAcceptable."""
        renderer, *others = renderers
        accepts = request.META.get("HTTP_ACCEPT", "*/*")
        if not others and accepts in ("*/*", renderer.media_type):
            return renderer, renderer.media_type
        return super().select_renderer(request, renderers, format_suffix)
