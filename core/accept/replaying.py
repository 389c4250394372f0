"""What can be done about a dead letter: to replay it by the workers' own insert, or to discard it.

Both may be repeated, and interrupted anywhere: a letter is removed only when what it holds is
stored, is another letter, or is recorded as discarded. Neither needs Redis or the broker.
"""

from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from django.db.models import QuerySet

from core.accept.dead_letters import MAX_NUMBER, MAX_REASON_CHARACTERS
from core.accept.envelope import UnknownFormat
from core.accept.failed import MESSAGE, readable_rows
from core.accept.models import DeadLetter
from core.accept.settled import settle_unqueued
from core.accept.stored import not_stored
from core.accept.storing import store_numbered
from core.logs import Event, get_logger
from core.numbering.skips import record_skip
from core.redis.pending import Undecodable, read_member
from core.rows import Key, NumberedRow, from_payload, kind_of, kinds
from core.transactions import in_transaction

logger = get_logger(__name__)

#: Does what a letter of some kind is about, in the transaction that removes the letter.
Way = Callable[[DeadLetter], object]

_TOKEN_CHARACTERS = 24

_ways: dict[str, Way] = {}


class StillSetAside(Exception):
    """It cannot be stored, or not be read, today either; says why."""


def register(kind: str, way: Way) -> None:
    """Announce how letters are replayed that are no rows; by who sets them aside."""
    _ways[kind] = way


def replay(letter: DeadLetter) -> None:
    """Store what the letter holds, and remove it.

    Raises StillSetAside, with the reason that the letter has from now on; OperationalError.
    """
    if letter.kind in _ways:
        in_transaction(partial(_replay_otherwise, letter))
        return
    try:
        rows = rows_of(letter)
    except UnknownFormat as error:
        reason = f"cannot be read: {error}"[:MAX_REASON_CHARACTERS]
        _itself(letter).update(reason=reason)
        raise StillSetAside(reason) from error
    store_numbered(rows)
    settle_unqueued(rows)
    refused = [row.acceptance for row in not_stored(rows)]
    if letter.acceptance.hex not in refused:
        _itself(letter).delete()
    if refused:
        raise StillSetAside(_reason_of(refused))


def discard(letter: DeadLetter) -> None:
    """Give it up: its numbers are recorded as skipped, since nothing will ever be stored there.

    Raises OperationalError.
    """
    if in_transaction(partial(_discard, letter)):
        logger.warning(Event.DISCARDED, letter=letter.pk, kind=letter.kind, key=letter.key)


def rows_of(letter: DeadLetter) -> list[NumberedRow]:
    """The rows that the letter holds. Raises UnknownFormat: it cannot be read, or holds none."""
    try:
        if letter.kind == MESSAGE:
            return readable_rows(b64decode(letter.payload["body"]))
        row = _row_of(letter)
        row.columns()  # a payload may be JSON and still be no row
    except (Undecodable, KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UnknownFormat(str(error)) from error
    return [row]


def _row_of(letter: DeadLetter) -> NumberedRow:
    if isinstance(letter.payload, str):
        return read_member(tuple(letter.key), letter.payload.encode()).row
    return from_payload(kinds()[letter.kind], tuple(letter.key), letter.payload)


def _itself(letter: DeadLetter) -> "QuerySet[DeadLetter]":
    return DeadLetter.objects.filter(pk=letter.pk)


def _replay_otherwise(letter: DeadLetter) -> None:
    _ways[letter.kind](letter)
    _itself(letter).delete()


def _reason_of(refused: Sequence[str]) -> str:
    reasons = DeadLetter.objects.filter(acceptance=refused[0]).values_list("reason", flat=True)
    first = reasons.first() or "it was set aside again"
    return first if len(refused) == 1 else f"{len(refused)} rows, the first: {first}"


def _discard(letter: DeadLetter) -> bool:
    removed, _ = _itself(letter).delete()
    if not removed:
        return False
    for parent, number in _places(letter):
        if not _is_taken(parent, number):
            why = f"discarded: {letter.reason}"
            record_skip(parent, number + 1, why, skipped_from=number)
    return True


def _places(letter: DeadLetter) -> Iterator[tuple[Key, int]]:
    """The numbers that were given to what the letter holds, as far as can be read."""
    if letter.kind in _ways:
        return
    try:
        places = [(row.parent, row.number) for row in rows_of(letter)]
    except UnknownFormat:
        places = [(tuple(letter.key), letter.number)] if letter.number else []
    for parent, number in places:
        # Of others there are no parents, so nobody misses a number.
        if 0 < number <= MAX_NUMBER and 0 < len(str(parent[0])) <= _TOKEN_CHARACTERS:
            yield parent, number


def _is_taken(parent: Key, number: int) -> bool:
    kind = kind_of(parent)
    key = dict(zip(kind.key_fields, (*parent, number), strict=True))
    return kind.model._default_manager.filter(**key).exists()
