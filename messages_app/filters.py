"""The filters of lists and searches of messages: bounds in time, and the sender."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import Q
from django.utils.dateparse import parse_datetime

from infra.errors import FieldError, Invalid
from ingest.fields import clean_name


@dataclass(frozen=True)
class Filters:
    """Messages created between two times, both exclusive, and from one sender; None: any."""

    created_after: datetime | None = None
    created_before: datetime | None = None
    sender: str | None = None

    @property
    def has_times(self) -> bool:
        """Whether there is a bound in time."""
        return self.created_after is not None or self.created_before is not None

    @property
    def by_sender(self) -> Q:
        """The condition on the sender."""
        return Q() if self.sender is None else Q(sender=self.sender)

    @property
    def by_time(self) -> Q:
        """The condition on the time."""
        bounds = {"created_at__gt": self.created_after, "created_at__lt": self.created_before}
        return Q(**{lookup: bound for lookup, bound in bounds.items() if bound is not None})

    @property
    def conditions(self) -> list[Q]:
        """Those of both that select anything."""
        return [each for each in (self.by_time, self.by_sender) if each]

    def includes(self, at: datetime) -> bool:
        """Whether this time is within the bounds."""
        return (self.created_after is None or at > self.created_after) and (
            self.created_before is None or at < self.created_before
        )

    def match(self, at: datetime, sender: str | None) -> bool:
        """Whether a message of this time and sender is selected."""
        return self.includes(at) and self.sender in (None, sender)


FILTER_NAMES = frozenset(("created_after", "created_before", "sender"))


def read_filters(parameters: Mapping[str, str]) -> Filters:
    """The filters in query parameters. Raises Invalid."""
    sender = parameters.get("sender")
    return Filters(
        created_after=_time(parameters, "created_after"),
        created_before=_time(parameters, "created_before"),
        sender=None if sender is None else clean_name(sender, "sender"),
    )


def _time(parameters: Mapping[str, str], name: str) -> datetime | None:
    text = parameters.get(name)
    if text is None:
        return None
    with suppress(ValueError, OverflowError):  # the form of a time, and not one
        at = parse_datetime(text)
        # The parser accepts a NUL at the end.
        if at is not None and at.tzinfo is not None and text.isprintable():
            return at.astimezone(UTC)
    message = f"{name} must be a time with an offset, like 2026-01-31T12:00:00Z (encode + as %2B)."
    raise Invalid(FieldError(name, "time", message))
