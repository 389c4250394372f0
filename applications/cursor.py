"""The opaque cursor of the list of applications, which have no numbers that a client knows.

It wraps the bound of a keyset page (core.http.paging) over the primary key, newest first.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping

from core.errors import FieldError, Invalid
from core.http.paging import Window, read_window

_PLAIN = re.compile(rb"before:([1-9][0-9]{0,17})\Z")


def window_at_cursor(parameters: Mapping[str, str]) -> Window:
    """The page that the parameters `cursor` and `limit` ask for. Raises Invalid."""
    limit = read_window({"limit": parameters["limit"]} if "limit" in parameters else {}).limit
    return Window(before=_decode(parameters.get("cursor")), limit=limit, descending=True)


def as_cursor(bounds: Mapping[str, int]) -> dict[str, object]:
    """The parameters of a link to the page with these bounds."""
    encoded = urlsafe_b64encode(f"before:{bounds['before']}".encode()).decode().rstrip("=")
    others = {name: bound for name, bound in bounds.items() if name != "before"}
    return {"cursor": encoded, **others}


def _decode(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    try:
        encoded = cursor.encode("ascii")
        plain = urlsafe_b64decode(encoded + b"=" * (-len(encoded) % 4))
    except ValueError:  # not ASCII, not base64
        plain = b""
    match = _PLAIN.match(plain)
    if not match:
        message = "cursor must come from a link of this list."
        raise Invalid(FieldError("cursor", "invalid", message))
    return int(match[1])
