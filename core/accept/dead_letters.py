"""Rows that cannot be stored are set aside whole, where operators see them."""

import logging
from traceback import format_exception
from uuid import UUID

import orjson
from django.utils import timezone

from core.accept.models import DeadLetter
from core.rows import NumberedRow
from core.transactions import in_transaction

logger = logging.getLogger(__name__)

MAX_REASON_CHARACTERS = 200


def set_aside(row: NumberedRow, reason: str, error: BaseException | None = None) -> None:
    """Keep the row with the reason, once however often this is called, in its own transaction."""
    letter = {
        "kind": row.kind.name,
        "key": row.key,
        "payload": orjson.loads(row.payload()),
        "reason": reason[:MAX_REASON_CHARACTERS],
        "traceback": "".join(format_exception(error)) if error else "",
        "set_aside_at": timezone.now(),
    }
    _, is_new = in_transaction(
        lambda: DeadLetter.objects.get_or_create(acceptance=UUID(row.acceptance), defaults=letter)
    )
    if is_new:
        logger.error("row set aside: kind=%s key=%s: %s", row.kind.name, row.key, reason)
