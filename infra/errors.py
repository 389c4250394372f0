"""What can go wrong, in the language of the domain.

Each error says what happened and carries nothing of HTTP; api.problems gives it a status.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class FieldError:
    """One thing wrong with one input: `field` as the client wrote it, `code` for programs."""

    field: str
    code: str
    message: str


class DomainError(Exception):
    """The root of all errors that a client is told about."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class NotFound(DomainError):
    """What was asked for does not exist."""


class Invalid(DomainError):
    """An input breaks a rule; `errors` names each field and rule."""

    def __init__(self, *errors: FieldError) -> None:
        super().__init__(" ".join(error.message for error in errors))
        self.errors: Sequence[FieldError] = errors


class Malformed(DomainError):
    """The bytes of a request cannot be read as what they claim to be."""


class TooLarge(DomainError):
    """The body of a request is larger than this route takes."""


class Stale(DomainError):
    """What is to be changed is no longer what the client has seen."""

    def __init__(self) -> None:
        super().__init__("It was changed since: read it again.")


class Conflict(DomainError):
    """The request contradicts what there is."""


class Unavailable(DomainError):
    """A part of the system that is needed now is away; worth another try after `retry_after` s."""

    def __init__(self, detail: str, retry_after: int = 1) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
