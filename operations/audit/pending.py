"""What pends in Redis: it is to be stored soon, as it is, and to be seen by the sweeper.

After a minute the sweeper may store a row, so what pends longer is told. It is an error when that
has not happened for several of its runs, while no worker is at work before it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from infra.natural_keys import in_pieces
from infra.redis_client import redis_is_configured
from ingest import pending as overdue
from ingest.numbering.leases import ceiling_of
from ingest.pending import PendingRow, Undecodable, read_member
from ingest.records import Key, RecordType, record_type_of_parent, record_types
from ingest.redis_keys import parent_key
from ingest.sweeper import AGE_MS
from operations.audit.checks import Walk
from operations.audit.findings import Finding, Severity, error, info
from operations.audit.redis_state import is_unknown_to_sweeper, parents_with_pending_rows

LATE_MS = 5 * AGE_MS
PAGE = 1000


@dataclass(frozen=True)
class _Parent:
    """Whose rows these are, when rows are old (ms by Redis's clock), and how bad that is."""

    name: str
    key: Key
    kind: RecordType
    old: int
    late: int

    def is_old(self, pending: PendingRow) -> bool:
        return pending.accepted_ms <= self.old

    def told(self, pending: PendingRow, what: str) -> Finding:
        is_late = pending.accepted_ms <= self.late
        severity = Severity.ERROR if is_late else Severity.INFO
        minutes = (self.old + AGE_MS - pending.accepted_ms) // 60_000
        detail = f"{self.kind.name} {pending.row.number} pends for {minutes} minutes: {what}"
        return Finding("pending", severity, self.key, detail)


def pending_rows(walk: Walk) -> Iterator[Finding]:
    """All pending rows against the table. Raises NoRedis."""
    if not redis_is_configured():
        return
    for name in parents_with_pending_rows():
        walk.pause()
        try:
            key = parent_key(name)
            kind = record_type_of_parent(key)
        except (ValueError, StopIteration):
            yield error("pending", (), f"rows pend under a name that means nothing: {name[:100]}")
            continue
        if is_unknown_to_sweeper(name):
            yield error("pending", key, f"{kind.name} pend, and the sweeper does not know of them")
        yield from _of_parent(walk, name, key, kind)


def _of_parent(walk: Walk, name: str, key: Key, kind: RecordType) -> Iterator[Finding]:
    now = overdue.redis_time()
    # While workers are at work, what was accepted after the rows they store is still to come.
    is_busy = kind.name in overdue.writer_progress(record_types())
    parent = _Parent(name, key, kind, now - AGE_MS, -1 if is_busy else now - LATE_MS)
    above = 0.0
    while members := overdue.pending_after(name, above, PAGE):
        above = members[-1][1]
        yield from _of_members(parent, members)
        walk.reached(None, len(members))


def _of_members(parent: _Parent, members: Sequence[overdue.ScoredMember]) -> Iterator[Finding]:
    rows: list[PendingRow] = []
    for member, number in members:
        try:
            rows.append(read_member(parent.key, member))
        except Undecodable as unreadable:
            yield error("pending", parent.key, f"{parent.kind.name} {number:.0f}: {unreadable}")
    stored = _stored(parent.kind, [one.row.key for one in rows])
    ceiling = ceiling_of(parent.key)
    for one in rows:
        yield from _of_row(parent, one, stored.get(one.row.key))
        if ceiling is not None and one.row.number > ceiling:
            yield error(
                "ceilings", parent.key,
                f"{parent.kind.name} {one.row.number} pends, above the ceiling {ceiling}",
            )  # fmt: skip


def _of_row(parent: _Parent, one: PendingRow, stored: Any) -> Iterator[Finding]:
    what = f"{parent.kind.name} {one.row.number}"
    if stored is None:
        if parent.is_old(one) and _is_left(parent, one):
            yield parent.told(one, "not stored")
    elif stored.acceptance.hex != one.row.acceptance:
        yield error("pending", parent.key, f"{what} pends, and another row is stored under it")
    elif stored.version == 1 and not _is_same(one, stored):
        yield error("pending", parent.key, f"{what} pends, and is stored otherwise than accepted")
    elif parent.is_old(one) and _is_left(parent, one):
        yield info("pending", parent.key, f"{what} pends, though it is stored: to be swept")


def _is_left(parent: _Parent, one: PendingRow) -> bool:
    """Whether it still pends: what was stored since it was read is gone from here."""
    number = one.row.number
    members = overdue.pending_after(parent.name, number - 1, 1)
    return bool(members) and int(members[0][1]) == number


def _is_same(one: PendingRow, stored: Any) -> bool:
    accepted = one.row.columns()
    fields = (*one.row.kind.field_names, "created_at")
    return all(getattr(stored, field) == accepted[field] for field in fields)


def _stored(kind: RecordType, keys: Sequence[Key]) -> dict[Key, Any]:
    return {
        kind.key_of(row): row
        for wanted in in_pieces(kind.key_fields, keys)
        for row in kind.model._default_manager.filter(wanted)
    }
