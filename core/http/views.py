"""The base of all API views: what DRF does by default and this API promises otherwise."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from rest_framework.request import Request
from rest_framework.views import APIView

from core.accept.submission import Repeatable
from core.http.conditional import etag
from core.http.limits import LimitedView
from core.http.parsers import MAX_REQUEST_BYTES
from core.http.renderers import JsonRenderer
from core.http.repeats import REPLAYED

#: Path segments. Digits are bounded so that every number fits a signed 64-bit column.
TOKEN = "(?P<token>[0-9a-f]{24})"  # noqa: S105 - a pattern
CHAT_NUMBER = "(?P<chat_number>[1-9][0-9]{0,17})"
MESSAGE_NUMBER = "(?P<message_number>[1-9][0-9]{0,17})"


class OptionsView(APIView):
    """A view that answers OPTIONS with Allow, which DRF adds to every answer, and nothing else."""

    def options(  # type: ignore[override] # Response would want a renderer for nothing
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """No content."""
        return HttpResponse()


class ApiView(LimitedView, OptionsView):
    """A view that knows how many bytes it takes, and how much a client may ask of it."""

    max_request_bytes = MAX_REQUEST_BYTES


def created(
    request: Request,
    segment: object,
    version: int,
    data: dict[str, object],
    once: Repeatable | None = None,
) -> HttpResponse:
    """201 with the absolute address of what was made: this path and one segment more."""
    # The route has matched, so the path needs no escapes.
    host = f"{request.scheme}://{request.get_host()}"
    location = f"{host}{request.path.rstrip('/')}/{segment}"
    return _created(data, {"Location": location, "ETag": etag(version)}, once)


def created_many(
    items: Sequence[dict[str, object]], once: Repeatable | None = None
) -> HttpResponse:
    """201 with all that was made."""
    return _created({"results": items}, {}, once)


def _created(data: object, headers: dict[str, str], once: Repeatable | None) -> HttpResponse:
    if once and once.is_repeat:
        headers[REPLAYED] = "true"
    # Rendered here, since this is the busiest answer: DRF's own way costs a tenth of the request.
    return HttpResponse(
        JsonRenderer().render(data),
        status=201,
        content_type=JsonRenderer.media_type,
        headers=headers,
    )
