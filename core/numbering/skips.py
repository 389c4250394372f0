"""Each jump of numbers is written down, so that an audit can tell a skip from a loss."""

from django.utils import timezone

from core.models import Parent
from core.numbering.models import NumberSkip


def record_skip(parent: Parent, resumed_at: int, reason: str) -> None:
    """Numbers right below `resumed_at` may never have been given; in the caller's transaction."""
    token, *chat_number = parent.key
    NumberSkip.objects.create(
        application_token=str(token),
        chat_number=chat_number[0] if chat_number else None,
        resumed_at=resumed_at,
        recorded_at=timezone.now(),
        reason=reason,
    )
