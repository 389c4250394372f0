"""Errors of import, export, conversion. Each message says what happened, where, and what to do."""

from infra.errors import DomainError


class SourceUnreadable(DomainError):
    """The input cannot be opened or read."""


class SourceDamaged(DomainError):
    """The input is damaged, and an unknown part of the text read last is wrong."""


class SourceTruncated(SourceDamaged):
    """The input is damaged or truncated, but all text read so far is right."""


class SourceChanged(DomainError):
    """The input no longer begins with the lines that an earlier run imported."""


class ImportOvertaken(DomainError):
    """Another run of the same import stored the same lines first."""


class InvalidLine(DomainError):
    """A line that cannot be imported; the detail gives the reason."""


class SpoolFailed(DomainError):
    """The temporary database of a conversion failed, for example for lack of space."""


class UnknownApplication(DomainError):
    """No application has this token or name, or several have this name."""
