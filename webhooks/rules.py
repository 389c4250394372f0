"""What a client may ask for: URLs, types of events, chats and positions."""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from events.pages import Position, read_position
from events.schema import TYPES
from infra.errors import FieldError, Invalid
from ingest.fields import required_value
from webhooks.destinations import destinations
from webhooks.models import MAX_URL_CHARACTERS

_MAX_NUMBER = 10**18 - 1
_VISIBLE_ASCII = re.compile(r"[!-~]+")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,252}[a-z0-9])?\.?")
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True)
class Endpoint:
    """A checked URL, in the parts that a request consists of. `netloc` is for the header Host."""

    scheme: str
    host: str
    port: int
    netloc: str
    target: str

    @property
    def is_encrypted(self) -> bool:
        """Whether the connection uses TLS."""
        return self.scheme == "https"


def parse_url(value: object) -> Endpoint:
    """The parts of a URL. Raises Invalid."""
    if not isinstance(value, str):
        raise _error("url", "type", "url must be a string.")
    if len(value) > MAX_URL_CHARACTERS:
        message = f"url may have at most {MAX_URL_CHARACTERS} characters."
        raise _error("url", "max_length", message)
    if not _VISIBLE_ASCII.fullmatch(value) or "\\" in value:
        message = "url must consist of visible ASCII characters: encode others in it."
        raise _error("url", "invalid", message)
    try:
        parts = urlsplit(value)
        port, host = parts.port, (parts.hostname or "").lower()
    except ValueError:
        raise _error("url", "invalid", "url is not a URL.") from None
    if parts.scheme not in _PORTS:
        raise _error("url", "scheme", "url must begin with https://.")
    if "@" in parts.netloc:
        message = "url may not contain a user or password: verify the signature instead."
        raise _error("url", "credentials", message)
    if "#" in value:
        raise _error("url", "fragment", "url may not contain a fragment.")
    if not _is_host(host, in_brackets="[" in parts.netloc) or port == 0:
        raise _error("url", "host", "url must name a host, and a port from 1 to 65535 if any.")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    endpoint = Endpoint(
        parts.scheme, host, port or _PORTS[parts.scheme], parts.netloc.lower(), target
    )
    _refuse_address(endpoint)
    return endpoint


def _is_host(host: str, *, in_brackets: bool) -> bool:
    """Whether it is a name or an address; an IPv6 address is in brackets, and nothing else is."""
    if not in_brackets:
        return _NAME.fullmatch(host) is not None
    with suppress(ValueError):
        return "%" not in host and ip_address(host).version == 6
    return False


def _refuse_address(endpoint: Endpoint) -> None:
    """Refuse what every delivery would refuse. Names are checked when they are connected to."""
    permitted = destinations()
    if not endpoint.is_encrypted and not permitted.allowed:
        raise _error("url", "scheme", "url must begin with https://.")
    try:
        address = ip_address(endpoint.host)
    except ValueError:
        return
    if not permitted.permits(address, is_encrypted=endpoint.is_encrypted):
        raise _error("url", "address", "Deliveries may not go to this address.")


def _clean_url(value: object) -> str:
    parse_url(value)
    return str(value)


def _clean_types(value: object) -> list[str] | None:
    """Some of the types of events in their order, or null for all."""
    if value is None:
        return None
    if not isinstance(value, list) or not value or any(one not in TYPES for one in value):
        message = f"types must be null for all, or a list of some of {', '.join(TYPES)}."
        raise _error("types", "invalid", message)
    return [one for one in TYPES if one in value]


def _clean_chat_number(value: object) -> int | None:
    if value is None:
        return None
    if type(value) is not int or not 1 <= value <= _MAX_NUMBER:
        message = "chat_number must be null, or the number of a chat."
        raise _error("chat_number", "number", message)
    return value


def _clean_is_active(value: object) -> bool:
    if not isinstance(value, bool):
        raise _error("is_active", "type", "is_active must be true or false.")
    return value


_CLEAN: Mapping[str, Callable[[object], Any]] = {
    "url": _clean_url,
    "types": _clean_types,
    "chat_number": _clean_chat_number,
    "is_active": _clean_is_active,
}


def clean_new(data: object) -> dict[str, Any]:
    """The values of a new webhook. Raises Invalid with all errors."""
    required_value(data, "url")
    return _clean(data)


def clean_change(data: object) -> dict[str, Any]:
    """The values that a change gives. Raises Invalid, also without any."""
    if isinstance(data, dict) and not data.keys() & _CLEAN.keys():
        message = f"At least one of {', '.join(_CLEAN)} is required."
        raise _error("", "required", message)
    return _clean(data)


def _clean(data: object) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise _error("", "invalid", "The request must be a JSON object.")
    values: dict[str, Any] = {}
    errors: list[FieldError] = []
    for name in _CLEAN.keys() & data.keys():
        try:
            values[name] = _CLEAN[name](data[name])
        except Invalid as invalid:
            errors += invalid.errors
    if errors:
        raise Invalid(*sorted(errors, key=lambda error: list(_CLEAN).index(error.field)))
    return values


def clean_after(data: object, *, is_required: bool) -> Position | None:
    """The position in the field `after`: the id of an event as a text, or its number.

    None if it may be missing and is. Raises Invalid.
    """
    given = isinstance(data, dict) and "after" in data
    value = required_value(data, "after") if is_required or given else None
    if type(value) is int:
        value = str(value)
    if value is None and not is_required:
        return None
    if not isinstance(value, str):
        raise _error("after", "type", "after must be the id of an event, or 0.")
    return read_position({"after": value})


def _error(name: str, code: str, message: str) -> Invalid:
    return Invalid(FieldError(name, code, message))
