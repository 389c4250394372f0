"""Accepted rows that are not stored: pending in Redis, in the queue of failed messages, set aside.

The sweeper stores a pending row after a minute, so a row that is pending for longer is reported.
It is an error after several sweeps, unless a worker is still storing rows accepted before it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone

from infra.models import Job
from infra.natural_keys import batches_by_pk, in_pieces
from infra.rabbitmq.connection import messages_waiting
from infra.rabbitmq.queues import FAILED
from infra.redis_client import redis_is_configured
from ingest import pending_index
from ingest.dead_letters.consumer import CONSUME_JOB
from ingest.late_rows import is_purged
from ingest.message_format import PendingRow, Undecodable, read_member
from ingest.models import DeadLetter
from ingest.numbering.leases import ceiling_of
from ingest.records import Key, RecordType, record_type_of_parent, record_types
from ingest.redis_keys import parent_key, shard_of_parent
from ingest.sweeper import AGE_MS
from operations.audit.checks import Cursor, Finding, Severity, error, info
from operations.audit.redis_state import is_unknown_to_sweeper, parents_with_pending_rows

LATE_MS = 5 * AGE_MS
PENDING_PAGE = 1000
LETTERS_PAGE = 500
#: The queue of failed messages is consumed once a minute.
CONSUMED_LATE = timedelta(minutes=3)


@dataclass(frozen=True)
class _PendingParent:
    """A parent with pending rows.

    Rows accepted up to `old_ms` (Redis's clock) are reported, those up to `late_ms` as errors.
    """

    name: str
    key: Key
    kind: RecordType
    old_ms: int
    late_ms: int

    def is_old(self, pending: PendingRow) -> bool:
        return pending.accepted_ms <= self.old_ms

    def overdue(self, pending: PendingRow, what: str) -> Finding:
        severity = Severity.ERROR if pending.accepted_ms <= self.late_ms else Severity.INFO
        minutes = (self.old_ms + AGE_MS - pending.accepted_ms) // 60_000
        row = f"{self.kind.name} {pending.row.number}"
        return Finding(
            "pending", severity, self.key, f"{row} has been pending for {minutes} minutes: {what}"
        )


def pending_rows(cursor: Cursor) -> Iterator[Finding]:
    """All pending rows against the table. Raises RedisUnavailable."""
    if not redis_is_configured():
        return
    for name in parents_with_pending_rows():
        cursor.pause()
        try:
            key = parent_key(name)
            kind = record_type_of_parent(key)
        except (ValueError, StopIteration):
            yield error("pending", (), f"rows are pending under an invalid name: {name[:100]}")
            continue
        if is_unknown_to_sweeper(name):
            yield error("pending", key, f"{kind.name} are pending, but not in the sweeper's index")
        yield from _pending_of_parent(cursor, name, key, kind)


def _pending_of_parent(cursor: Cursor, name: str, key: Key, kind: RecordType) -> Iterator[Finding]:
    shard = shard_of_parent(name)
    now = pending_index.redis_time(shard)
    # While workers are busy, they may still reach every row accepted after those they store now.
    is_busy = kind.name in pending_index.writer_progress(shard, record_types())
    parent = _PendingParent(name, key, kind, now - AGE_MS, -1 if is_busy else now - LATE_MS)
    above = 0.0
    while members := pending_index.pending_after(name, above, PENDING_PAGE):
        above = members[-1][1]
        yield from _check_members(parent, members)
        cursor.reached(None, len(members))


def _check_members(
    parent: _PendingParent, members: Sequence[pending_index.ScoredMember]
) -> Iterator[Finding]:
    rows: list[PendingRow] = []
    for member, number in members:
        try:
            rows.append(read_member(parent.key, member))
        except Undecodable as unreadable:
            yield error("pending", parent.key, f"{parent.kind.name} {number:.0f}: {unreadable}")
    stored = _stored(parent.kind, [one.row.key for one in rows])
    ceiling = ceiling_of(parent.key)
    for one in rows:
        yield from _check_row(parent, one, stored.get(one.row.key))
        if ceiling is not None and one.row.number > ceiling:
            what = f"{parent.kind.name} {one.row.number} is pending, above the ceiling {ceiling}"
            yield error("ceilings", parent.key, what)


def _check_row(parent: _PendingParent, one: PendingRow, stored: Any) -> Iterator[Finding]:
    what = f"{parent.kind.name} {one.row.number} is pending"
    if stored is None:
        if parent.is_old(one) and _is_still_pending(parent, one):
            yield parent.overdue(one, "not stored")
    elif stored.acceptance.hex != one.row.acceptance:
        yield error("pending", parent.key, f"{what}, but another row is stored under its number")
    elif stored.version == 1 and not _is_same(one, stored):
        yield error("pending", parent.key, f"{what}, but the stored row differs from it")
    elif parent.is_old(one) and _is_still_pending(parent, one):
        yield info("pending", parent.key, f"{what} although it is stored: the sweeper removes it")


def _is_still_pending(parent: _PendingParent, one: PendingRow) -> bool:
    """Whether the row was not stored and removed since it was read."""
    number = one.row.number
    members = pending_index.pending_after(parent.name, number - 1, 1)
    return bool(members) and int(members[0][1]) == number


def _is_same(one: PendingRow, stored: Any) -> bool:
    accepted = one.row.columns()
    fields = (*one.row.record_type.field_names, "created_at")
    return all(getattr(stored, field) == accepted[field] for field in fields)


def _stored(kind: RecordType, keys: Sequence[Key]) -> dict[Key, Any]:
    return {
        kind.key_of(row): row
        for wanted in in_pieces(kind.key_fields, keys)
        for row in kind.model._default_manager.filter(wanted)
    }


def failed_messages(cursor: Cursor) -> Iterator[Finding]:
    """The queue of failed messages is consumed. Raises BrokerUnavailable."""
    cursor.pause()
    waiting = messages_waiting(FAILED)
    if not waiting:
        return
    what = f"{waiting} messages in the queue {FAILED}"
    recently = timezone.now() - CONSUMED_LATE
    if Job.objects.filter(name=CONSUME_JOB, finished_at__gt=recently).exists():
        yield info("dead_letters", (), f"{what}, consumed within a minute")
    else:
        yield error("dead_letters", (), f"{what}, and nothing consumes them: is beat running?")


def dead_letters(cursor: Cursor) -> Iterator[Finding]:
    """Each dead letter is an error, unless its row is stored or purged by now."""
    last = int(cursor.after[0]) if cursor.after else 0
    rows = DeadLetter.objects.defer("payload", "traceback")
    for page in batches_by_pk(rows, LETTERS_PAGE, after=last):
        stored = _stored_acceptances(page)
        for letter in page:
            yield _dead_letter(letter, is_stored=letter.acceptance.hex in stored)
        cursor.reached([page[-1].pk], len(page))


def _dead_letter(letter: DeadLetter, *, is_stored: bool) -> Finding:
    what = f"dead letter {letter.pk}, {letter.kind} {letter.number or ''}: {letter.reason}"
    key = letter.key[:2] if isinstance(letter.key, list) else ()
    if is_stored:
        return info("dead_letters", key, f"{what}; stored by now, a replay removes it")
    if _has_row_key(letter) and is_purged(tuple(letter.key)):
        return info("dead_letters", key, f"{what}; purged by now, a replay removes it")
    # A search document: its row is in the table, and the check of the index reports what differs.
    if letter.kind not in record_types() and letter.number is not None:
        return info("dead_letters", key, what)
    return error("dead_letters", key, what)


def _has_row_key(letter: DeadLetter) -> bool:
    kind = record_types().get(letter.kind)
    return bool(kind and letter.number and len(letter.key) == len(kind.key_fields))


def _stored_acceptances(letters: Sequence[DeadLetter]) -> set[str]:
    """The acceptance IDs of the stored rows that have the keys of these letters."""
    found: set[str] = set()
    for kind in record_types().values():
        keys = [one.key for one in letters if one.kind == kind.name and _has_row_key(one)]
        for wanted in in_pieces(kind.key_fields, keys):
            rows = kind.model._default_manager.filter(wanted)
            found |= {acceptance.hex for acceptance in rows.values_list("acceptance", flat=True)}
    return found
