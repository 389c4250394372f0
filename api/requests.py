"""Reads requests: their bodies as plain values, and the headers with keys, versions and origins.

The size of a body is checked before it is parsed. With an Idempotency-Key, a repeated request gets
the first response again. A key is valid for one path. The values of the two requests are compared,
not their bytes, so a repeat may send them as JSON or as a form. If-Match and If-None-Match name the
versions that a request applies to (RFC 9110, section 13). A tag in another format matches nothing.

Where no key is required, changes from pages of other sites are refused: a browser near the service
reaches it, and any page can make it send a form there. Browsers state the origin of a request in
headers that no page can set. Other programs send neither header.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import IO, Any
from urllib.parse import urlsplit
from uuid import UUID

import orjson
from django.conf import settings
from django.http import HttpRequest, UnreadablePostError
from rest_framework.exceptions import PermissionDenied
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from infra.errors import FieldError, Invalid, Malformed, TooLarge
from infra.versions import Versions
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


def replay_headers(request: IdempotentRequest | None) -> dict[str, str]:
    """Return the header that tells that the response repeats the first one, if it does."""
    return {REPLAYED_HEADER: "true"} if request and request.is_repeat else {}


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


#: An edit compares all tags in one SQL statement, which bounds their number.
MAX_TAGS = 100

#: The tag list that matches any tag.
ANY_TAG = ["*"]

_TAG_SYNTAX = re.compile(r'(?:W/)?"[^"]*"')
_OWN_TAG = re.compile(r'"([1-9][0-9]{0,17})"\Z')


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


def names_tag(if_none_match: str, tag: str) -> bool:
    """Whether the value of If-None-Match names this tag, by weak comparison."""
    tags = _parse_tags(if_none_match)
    return tags == ANY_TAG or tag in (known.removeprefix("W/") for known in tags)


def _versions(tags: Iterable[str]) -> frozenset[int]:
    return frozenset(int(match[1]) for match in map(_OWN_TAG.match, tags) if match)


#: Sec-Fetch-Site of requests by this service's own pages, or by the user directly. Another port of
#: this machine is "same-site", which is not enough.
_OWN_SITES = ("same-origin", "none")


def refuse_other_sites(request: HttpRequest) -> None:
    """Raise PermissionDenied for a change that a page of another site requests."""
    origin = request.META.get("HTTP_ORIGIN")
    if origin in getattr(settings, "CORS_ALLOWED_ORIGINS", ()):
        return
    site = request.META.get("HTTP_SEC_FETCH_SITE")
    is_foreign = (
        _is_foreign_origin(origin, request.get_host()) if site is None else site not in _OWN_SITES
    )
    if is_foreign:
        raise PermissionDenied("Pages of other sites may not do this: see CORS_ORIGINS.")


def _is_foreign_origin(origin: str | None, own: str) -> bool:
    """Whether Origin names another site, or hides it. A value without "://" is no browser's."""
    if origin is None or "://" not in origin:
        return origin == "null"
    try:
        return urlsplit(origin).netloc.lower() != own.lower()
    except ValueError:
        return True
