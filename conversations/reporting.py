"""The result of an import, for programs and for people.

The figures are those of the run; the applications are those that the import has written to in all
its runs, so that nobody has to go looking for a token after an interruption.
"""

from collections.abc import Iterator

from conversations.importing import Outcome
from conversations.models import ImportShare

SHOWN = 50


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
    """The result in lines."""
    if outcome.skipped and not outcome.handled:
        yield f"All {outcome.skipped:,} lines were imported before; there was nothing to do."
    else:
        yield (
            f"{outcome.lines:,} lines in {seconds:.1f} s: {outcome.messages:,} messages stored, "
            f"{outcome.rejected:,} rejected, {outcome.empty:,} empty, "
            f"{outcome.skipped:,} done before"
        )
    shares = ImportShare.objects.filter(of_id=outcome.import_id)
    for share in shares.order_by("pk")[:SHOWN]:
        yield (
            f"  {share.application_token}  {share.chats:>9,} chats  "
            f"{share.messages:>12,} messages  {share.name}"
        )
    if (more := shares.count() - SHOWN) > 0:
        yield f"  and {more:,} more applications (--json lists all)"
