"""What an audit has to say."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """Whether somebody has to do something about it."""

    ERROR = "error"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing: of which check, and what. `key` begins with the token, then the chat's number."""

    check: str
    severity: Severity
    key: Sequence[Any]
    detail: str

    def as_object(self) -> dict[str, Any]:
        """As programs read it."""
        token, chat_number, *_ = (*self.key, None, None)
        return {
            "check": self.check,
            "severity": self.severity.value,
            "application_token": token,
            "chat_number": chat_number,
            "detail": self.detail,
        }


def error(check: str, key: Sequence[Any], detail: str) -> Finding:
    """A guarantee does not hold, or somebody has to act so that it will."""
    return Finding(check, Severity.ERROR, key, detail)


def info(check: str, key: Sequence[Any], detail: str) -> Finding:
    """Known, and nobody has to do anything."""
    return Finding(check, Severity.INFO, key, detail)


def unreachable(service: str, reason: object) -> Finding:
    """What could not be asked is not known to be well."""
    return error("unreachable", (), f"{service}: {reason}")


def named(run: range) -> str:
    """Consecutive numbers, in words."""
    first, last = run.start, run.stop - 1
    return str(first) if first == last else f"{first} to {last}"
