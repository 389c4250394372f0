"""What ends an import early. Each sentence says what happened, where, and what to do."""

from infra.errors import DomainError


class SourceUnreadable(DomainError):
    """The input cannot be opened, or stops being readable."""


class SourceBroken(DomainError):
    """The input is damaged; how much of what was read last is wrong cannot be told."""


class SourceEndsEarly(SourceBroken):
    """The input is damaged or truncated, and all that was read of it is right."""


class SourceChanged(DomainError):
    """The lines that an earlier run imported are not there any more."""


class Overtaken(DomainError):
    """Another run of the same import stored the same lines first."""
