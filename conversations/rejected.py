"""The lines set aside by imports, listed in bounded memory."""

from collections.abc import Iterator

from conversations.digests import digest_of
from conversations.models import RejectedLine

STEP = 100


def rejected_lines(source_name: str | None = None) -> Iterator[RejectedLine]:
    """Those of one source, or all, as they were set aside."""
    rows = RejectedLine.objects.select_related("of").order_by("pk")
    if source_name is not None:
        rows = rows.filter(of__source_key=digest_of(source_name))
    last = 0
    while step := list(rows.filter(pk__gt=last)[:STEP]):
        yield from step
        last = step[-1].pk
