"""Setting aside: data that cannot be stored or read is kept whole, where operators see it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from traceback import format_exception
from typing import Any
from uuid import UUID

import orjson
from django.utils import timezone

from infra.database import in_transaction
from infra.logs import Event, get_logger
from ingest.message_format import payload_of
from ingest.metrics import SET_ASIDE
from ingest.models import DeadLetter, letters_of
from ingest.records import Key, NumberedRow
from ingest.redis_keys import parent_name

logger = get_logger(__name__)

MAX_REASON_CHARACTERS = 200
#: No application has a longer token.
MAX_TOKEN_CHARACTERS = 24
_MAX_PARENT_CHARACTERS = 64
#: The limit of a number column.
MAX_NUMBER = 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class Letter:
    """The content of a dead letter; `place` is the parent's key and, if known, the number."""

    kind: str
    queue: str
    key: Sequence[str | int]
    payload: Any
    place: tuple[Key, int | None] = field(default=((), None))


def set_aside(row: NumberedRow, reason: str, error: BaseException | None = None) -> None:
    """Keep the row, once even if called again, in a transaction of its own."""
    letter = Letter(
        kind=row.record_type.name,
        queue=row.record_type.name,
        key=row.key,
        payload=orjson.loads(payload_of(row)),
        place=(row.parent, row.number),
    )
    keep(UUID(row.acceptance), letter, reason, error, row.request_id)


def keep(
    acceptance: UUID,
    letter: Letter,
    reason: str,
    error: BaseException | None = None,
    request_id: str = "",
) -> None:
    """Keep the letter once, with the latest reason. Raises OperationalError."""
    why = {
        "reason": reason[:MAX_REASON_CHARACTERS],
        "traceback": "".join(format_exception(error)) if error else "",
    }
    is_new = in_transaction(partial(_create_or_update, acceptance, letter, why))
    if is_new:
        SET_ASIDE.labels(letter.kind).inc()
        # The reason may quote the row, so it is kept with the row and not logged.
        logger.error(
            Event.SET_ASIDE,
            kind=letter.kind,
            key=letter.key,
            acceptance=acceptance.hex,
            error=error,
            request_id=request_id,
        )


def _create_or_update(acceptance: UUID, letter: Letter, why: Mapping[str, str]) -> bool:
    """Whether the letter is new; otherwise only its reason changes."""
    what = {**_fields(letter), **why, "set_aside_at": timezone.now()}
    letters = DeadLetter.objects.filter(letters_of(what["application_token"]))
    _, is_new = letters.select_for_update().get_or_create(acceptance=acceptance, defaults=what)
    if not is_new:
        letters.filter(acceptance=acceptance).update(**why)
    return is_new


def _fields(letter: Letter) -> dict[str, Any]:
    fields = asdict(letter)
    parent, number = fields.pop("place")
    is_number = number is not None and 0 < number <= MAX_NUMBER
    token = str(letter.key[0]) if letter.key else ""
    return {
        **fields,
        "application_token": token if len(token) <= MAX_TOKEN_CHARACTERS else "",
        "parent": parent_name(parent)[:_MAX_PARENT_CHARACTERS],
        "number": number if is_number else None,
    }
