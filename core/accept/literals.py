"""Times and UUIDs as the text that databases take, made without the fields, which cost more."""

import re
from collections.abc import Callable
from functools import cache
from typing import Any
from uuid import UUID

from core.rows import moment

_SECOND = 1_000_000
_is_plain = re.compile("[0-9a-f]{32}").fullmatch


def uuid_text(value: str) -> str:
    """32 digits, which native columns take too. Raises ValueError, TypeError, AttributeError."""
    return value if _is_plain(value) else UUID(value).hex


def time_text(connection: Any) -> Callable[[int], str]:
    """Says microseconds since 1970 as this database writes a time; one second is asked for once.

    What it answers raises TypeError, ValueError and OverflowError.
    """
    write = connection.ops.adapt_datetimefield_value

    @cache
    def whole(second: int) -> str:
        return str(write(moment(second * _SECOND)))

    def text(microseconds: int) -> str:
        second, rest = divmod(microseconds, _SECOND)
        return f"{whole(second)}.{rest:06d}" if rest else whole(second)

    return text
