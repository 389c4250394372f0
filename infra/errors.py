"""Base classes of the errors that a client sees. Applications derive their own.

An error says what happened and knows nothing of HTTP; api.problems gives it a status.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class FieldError:
    """One thing wrong with one input: `field` as the client wrote it, `code` for programs."""

    field: str
    code: str
    message: str


class DomainError(Exception):
    """The root of all errors that a client sees; `detail` is one sentence, given or the class's."""

    detail = ""

    def __init__(self, detail: str | None = None) -> None:
        self.detail = detail or self.detail
        super().__init__(self.detail)


class NotFound(DomainError):
    """The requested object does not exist."""


class Gone(DomainError):
    """The requested object was removed for good; `members` are added to the problem document."""

    def __init__(self, detail: str, **members: object) -> None:
        super().__init__(detail)
        self.members: Mapping[str, object] = members


class Invalid(DomainError):
    """An input breaks a rule; `errors` names each field and rule."""

    def __init__(self, *errors: FieldError) -> None:
        super().__init__(" ".join(error.message for error in errors))
        self.errors: Sequence[FieldError] = errors


class Malformed(DomainError):
    """The bytes of a request do not have the format that they claim."""


class TooLarge(DomainError):
    """The body of a request is larger than its route accepts."""


class Stale(DomainError):
    """The object has changed since the client read it."""

    detail = "It was changed since: read it again."


class Conflict(DomainError):
    """The request contradicts the present state."""


class Unavailable(DomainError):
    """A part of the service is unavailable; a retry makes sense after `retry_after` seconds."""

    retry_after = 1

    def __init__(self, detail: str | None = None, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.retry_after = retry_after or self.retry_after
