"""Each jump of numbers is written down, so that an audit can tell a skip from a loss."""

from django.utils import timezone

from core.numbering.models import NumberSkip
from core.rows import Key

MAX_REASON_CHARACTERS = 200


def record_skip(
    parent: Key, resumed_at: int, reason: str, *, skipped_from: int | None = None
) -> None:
    """Numbers right below `resumed_at`, or from `skipped_from` on, have no rows and are no loss.

    In the caller's transaction.
    """
    token, *chat_number = parent
    NumberSkip.objects.create(
        application_token=str(token),
        chat_number=chat_number[0] if chat_number else None,
        skipped_from=skipped_from,
        resumed_at=resumed_at,
        recorded_at=timezone.now(),
        reason=reason[:MAX_REASON_CHARACTERS],
    )
