"""Entity tags, and what a request makes depend on them (RFC 9110, section 13).

The tag of an item is its version, which rises with everything that is shown of it, so it costs
nothing to make. Tags that are none of ours match nothing.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from django.http import HttpResponse, HttpResponseNotModified
from rest_framework.request import Request

from api.formats import JsonRenderer, json_response
from infra.errors import Malformed
from infra.versions import Versions

#: More would be more than one statement can compare; nobody edits what he saw a hundred times.
MAX_TAGS = 100

#: What stands for any tag.
ANY_TAG = ["*"]

_TAG_SYNTAX = re.compile(r'(?:W/)?"[^"]*"')
_OWN_TAG = re.compile(r'"([1-9][0-9]{0,17})"\Z')


def etag(version: int) -> str:
    """The header's value."""
    return f'"{version}"'


def conditional_response(
    request: Request, version: int, data: Mapping[str, object]
) -> HttpResponse:
    """The item with its tag, or 304 to who reads it and has it already."""
    headers = {"ETag": etag(version)}
    if request.method in ("GET", "HEAD") and _client_has(request, etag(version)):
        # Of all lengths a 304 may only give that of the 200 (RFC 9110, section 8.6); Django's
        # middleware would give 0.
        length = len(JsonRenderer().render(data))
        return HttpResponseNotModified(headers={**headers, "Content-Length": str(length)})
    return json_response(data, headers=headers)


def expected_versions(request: Request) -> Versions | None:
    """The versions that the client wants to change, by If-Match and If-None-Match; None for any.

    Raises Malformed.
    """
    seen, known = _tags(request, "If-Match"), _tags(request, "If-None-Match")
    if seen == []:
        # Without a tag it would match nothing for ever, and the client would not learn why.
        raise Malformed('If-Match must be "*" or tags in double quotes, such as "1".')
    if known == ANY_TAG:
        return Versions(seen=frozenset())  # an item that exists is not to be changed
    if not known and seen in (None, ANY_TAG):
        return None  # an item that does not exist cannot be changed anyway
    return Versions(
        # If-Match compares strongly: a weak tag never matches.
        seen=None if seen is None or seen == ANY_TAG else _versions(seen),
        known=_versions(tag.removeprefix("W/") for tag in known or ()),
    )


def _tags(request: Request, header: str) -> Sequence[str] | None:
    """The tags of a header, or ANY; None without it. Raises Malformed."""
    value = request.META.get(f"HTTP_{header.upper().replace('-', '_')}")
    if value is None:
        return None
    tags = _parsed(value)
    if len(tags) > MAX_TAGS:
        raise Malformed(f"{header} may name at most {MAX_TAGS} tags.")
    return tags


def _parsed(header: str) -> Sequence[str]:
    """The tags, or ANY. Django's own function cuts a tag at a comma in it."""
    return ANY_TAG if header.strip() == "*" else _TAG_SYNTAX.findall(header)


def _versions(tags: Iterable[str]) -> frozenset[int]:
    return frozenset(int(match[1]) for match in map(_OWN_TAG.match, tags) if match)


def _client_has(request: Request, tag: str) -> bool:
    tags = _parsed(request.META.get("HTTP_IF_NONE_MATCH", ""))
    # If-None-Match compares weakly.
    return tags == ANY_TAG or tag in (known.removeprefix("W/") for known in tags)
