"""JSON responses with entity tags, and the conditions of a request on them (RFC 9110, section 13).

Responses are rendered by orjson where they are made; DRF's rendering would cost a tenth of a
create. The entity tag of an item is its version. A tag in another format matches nothing.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from api.requests import REPLAYED_HEADER
from infra.errors import Malformed
from infra.versions import FIRST_VERSION, Versions
from ingest.idempotency import IdempotentRequest

#: An edit compares all tags in one SQL statement, which bounds their number.
MAX_TAGS = 100

#: The tag list that matches any tag.
ANY_TAG = ["*"]

_TAG_SYNTAX = re.compile(r'(?:W/)?"[^"]*"')
_OWN_TAG = re.compile(r'"([1-9][0-9]{0,17})"\Z')


class JsonRenderer(BaseRenderer):
    """JSON in UTF-8, without escapes of non-ASCII characters."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Return the body of a response, which is empty for None."""
        return b"" if data is None else orjson.dumps(data)


def json_response(
    data: object, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    """Build a response with the data as JSON."""
    content = JsonRenderer().render(data)
    return HttpResponse(
        content, status=status, content_type=JsonRenderer.media_type, headers=headers
    )


def created_response(
    request: HttpRequest,
    segment: object,
    data: dict[str, object],
    idempotent: IdempotentRequest | None = None,
    version: int = FIRST_VERSION,
) -> HttpResponse:
    """Build a 201; Location is the path of the request and one more segment."""
    # The route has matched, so the path needs no escapes.
    path = f"{request.path.rstrip('/')}/{segment}"
    location = f"{request.scheme}://{request.get_host()}{path}"
    return _created_response(data, {"Location": location, "ETag": etag(version)}, idempotent)


def created_many_response(
    items: Sequence[dict[str, object]], idempotent: IdempotentRequest | None = None
) -> HttpResponse:
    """Build a 201 with all new items."""
    return _created_response({"results": items}, {}, idempotent)


def _created_response(
    data: object, headers: dict[str, str], idempotent: IdempotentRequest | None
) -> HttpResponse:
    if idempotent and idempotent.is_repeat:
        headers[REPLAYED_HEADER] = "true"
    return json_response(data, HTTPStatus.CREATED, headers)


def etag(version: int) -> str:
    """Format the value of an ETag header."""
    return f'"{version}"'


def conditional_response(
    request: Request, version: int, data: Mapping[str, object]
) -> HttpResponse:
    """Build a response with the item and its ETag; 304 for a read by a client that has it."""
    headers = {"ETag": etag(version)}
    if request.method in ("GET", "HEAD") and _client_has(request, etag(version)):
        # The only length that a 304 may give is that of the 200 (RFC 9110, section 8.6); Django's
        # middleware would give 0.
        length = len(JsonRenderer().render(data))
        return HttpResponseNotModified(headers={**headers, "Content-Length": str(length)})
    return json_response(data, headers=headers)


def expected_versions(request: Request) -> Versions | None:
    """Read the versions that an edit applies to from its headers; None is any. Raises Malformed."""
    if_match, if_none_match = _tags(request, "If-Match"), _tags(request, "If-None-Match")
    if if_match == []:
        # Without a tag it would never match anything, and the client would not learn why.
        raise Malformed('If-Match must be "*" or tags in double quotes, such as "1".')
    if if_none_match == ANY_TAG:
        return Versions(seen=frozenset())  # no existing item may be changed
    if not if_none_match and if_match in (None, ANY_TAG):
        return None  # an item that does not exist cannot be changed anyway
    return Versions(
        # If-Match compares strongly: a weak tag never matches.
        seen=None if if_match is None or if_match == ANY_TAG else _versions(if_match),
        known=_versions(tag.removeprefix("W/") for tag in if_none_match or ()),
    )


def _tags(request: Request, header: str) -> Sequence[str] | None:
    """Read the tags of a header, or ANY_TAG; None without the header. Raises Malformed."""
    value = request.META.get(f"HTTP_{header.upper().replace('-', '_')}")
    if value is None:
        return None
    tags = _parse_tags(value)
    if len(tags) > MAX_TAGS:
        raise Malformed(f"{header} may name at most {MAX_TAGS} tags.")
    return tags


def _parse_tags(header: str) -> Sequence[str]:
    """Read the tags, or ANY_TAG. Django's own function cuts a tag at a comma in it."""
    return ANY_TAG if header.strip() == "*" else _TAG_SYNTAX.findall(header)


def _versions(tags: Iterable[str]) -> frozenset[int]:
    return frozenset(int(match[1]) for match in map(_OWN_TAG.match, tags) if match)


def _client_has(request: Request, tag: str) -> bool:
    tags = _parse_tags(request.META.get("HTTP_IF_NONE_MATCH", ""))
    # If-None-Match compares weakly.
    return tags == ANY_TAG or tag in (known.removeprefix("W/") for known in tags)
