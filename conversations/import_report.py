"""Reports of imports: the result of a run, as JSON or text, and the list of rejected lines.

The figures are those of the run. The applications are those of all runs of the import, so that
their tokens are shown again after an interruption.
"""

from collections.abc import Iterator

from conversations.import_run import Outcome
from conversations.models import ImportShare, RejectedLine, digest_of

#: Applications that are listed in text.
MAX_LISTED = 50
#: Rejected lines read at a time.
STEP = 100


def as_object(outcome: Outcome) -> dict[str, object]:
    """The result as one JSON object."""
    return {
        "lines": outcome.lines,
        "messages": outcome.messages,
        "rejected": outcome.rejected,
        "empty": outcome.empty,
        "skipped": outcome.skipped,
        "applications": [
            {
                "name": share.name,
                "token": share.application_token,
                "chats": share.chats,
                "messages": share.messages,
            }
            for share in ImportShare.objects.filter(of_id=outcome.import_id).order_by("pk")
        ],
    }


def as_text(outcome: Outcome, seconds: float) -> Iterator[str]:
    """The result as lines of text."""
    if outcome.skipped and not outcome.handled:
        yield f"Nothing to do: all {outcome.skipped:,} lines were imported before."
    else:
        yield (
            f"{outcome.lines:,} lines in {seconds:.1f} s: {outcome.messages:,} messages stored, "
            f"{outcome.rejected:,} rejected, {outcome.empty:,} empty, "
            f"{outcome.skipped:,} imported before"
        )
    shares = ImportShare.objects.filter(of_id=outcome.import_id)
    for share in shares.order_by("pk")[:MAX_LISTED]:
        yield (
            f"  {share.application_token}  {share.chats:>9,} chats  "
            f"{share.messages:>12,} messages  {share.name}"
        )
    if (more := shares.count() - MAX_LISTED) > 0:
        yield f"  and {more:,} more applications (--json lists all)"


def rejected_lines(source_name: str | None = None) -> Iterator[RejectedLine]:
    """The rejected lines of one source or of all, oldest first, in bounded memory."""
    rows = RejectedLine.objects.select_related("of").order_by("pk")
    if source_name is not None:
        rows = rows.filter(of__source_key=digest_of(source_name))
    last = 0
    while step := list(rows.filter(pk__gt=last)[:STEP]):
        yield from step
        last = step[-1].pk
