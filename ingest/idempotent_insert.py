"""Whose the stored rows are.

The idempotent insert: however often a row comes, it is in its table once, or set aside.

A plain INSERT of all rows, in one transaction, is tried first. Where it is refused, the stored rows
are read: one with the same acceptance is this row, delivered again, and one with another is an
alarm. Only errors of the data blame a row; for the rest the caller repeats the whole batch.
"""

import os
import platform
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from django.db import Error

from infra.database import in_transaction
from infra.logs import Event, get_logger
from infra.natural_keys import in_pieces
from infra.redis_client import RedisUnavailable, ask_redis
from infra.service_errors import blames_row, is_duplicate
from ingest.bulk_insert import bulk_insert
from ingest.dead_letters.set_aside import MAX_NUMBER, set_aside
from ingest.idempotency.records import remember_stored
from ingest.late_rows import purged_rows
from ingest.records import Key, NumberedRow, RecordType
from ingest.redis_keys import attempt


def stored_acceptances(rows: Iterable[NumberedRow]) -> dict[tuple[str, Key], str]:
    """The acceptances of what is stored under the keys of these rows, by kind and key."""
    keys: defaultdict[RecordType, list[Key]] = defaultdict(list)
    for row in rows:
        keys[row.kind].append(row.key)
    return {
        (kind.name, tuple(key)): acceptance.hex
        for kind, of_kind in keys.items()
        for *key, acceptance in _read_acceptances(kind, of_kind)
    }


def rows_not_stored(rows: Sequence[NumberedRow]) -> list[NumberedRow]:
    """Those that are not in their tables, because nothing is there or another row.

    What was purged is not missed.
    """
    possible = [row for row in rows if row.number <= MAX_NUMBER]
    stored = stored_acceptances(possible)
    purged = {row.acceptance for row in purged_rows(possible)}
    return [
        row
        for row in rows
        if stored.get((row.kind.name, row.key)) != row.acceptance and row.acceptance not in purged
    ]


def _read_acceptances(kind: RecordType, keys: Sequence[Key]) -> Iterator[tuple[Any, ...]]:
    """Key and acceptance of the rows that are stored."""
    for wanted in in_pieces(kind.key_fields, keys):
        stored = kind.model._default_manager.filter(wanted)
        yield from stored.values_list(*kind.key_fields, "acceptance")


logger = get_logger(__name__)

#: So many rows of a batch are named in a log.
_NAMED = 20
_MARK_SECONDS = 3600


class _PurgedRows(Exception):
    """These rows had been stored and purged before."""

    def __init__(self, rows: Sequence[NumberedRow]) -> None:
        super().__init__(f"{len(rows)} rows")
        self.rows = rows


def store_rows(rows: Sequence[NumberedRow]) -> None:
    """Return when each row is in its table exactly once, or a dead letter, or known as purged.

    Raises django.db.Error when the database cannot do it now: then some rows may be stored, and
    all of them are to be given again.
    """
    if not rows:
        return
    firsts = {(row.kind.name, row.key): row for row in reversed(rows)}
    _store_or_halve(list(firsts.values()))
    store_rows([row for row in rows if firsts[row.kind.name, row.key].acceptance != row.acceptance])


def _store_or_halve(rows: Sequence[NumberedRow]) -> None:
    try:
        in_transaction(lambda: _insert_batch(rows))
    except _PurgedRows as purged:
        logger.info(Event.ROWS_PURGED, **_log_fields(purged.rows))
        acceptances = {row.acceptance for row in purged.rows}
        store_rows([row for row in rows if row.acceptance not in acceptances])
    except Error as error:
        if is_duplicate(error):
            left = _rows_with_free_numbers(rows)
            if len(left) == len(rows):
                raise  # nobody's row is in the way, so nobody's row may be blamed
            store_rows(left)
        elif not blames_row(error):
            raise
        elif len(rows) == 1:
            set_aside(rows[0], f"{type(error).__name__}: {error}", error)
        else:
            _store_or_halve(rows[: len(rows) // 2])
            _store_or_halve(rows[len(rows) // 2 :])


def _insert_batch(rows: Sequence[NumberedRow]) -> None:
    bulk_insert(rows)
    if any(row.request for row in rows):
        remember_stored(rows)
    if purged := purged_rows(rows):
        raise _PurgedRows(purged)


def _rows_with_free_numbers(rows: Sequence[NumberedRow]) -> list[NumberedRow]:
    """The rows whose number is free; strangers to the stored ones are set aside."""
    stored = stored_acceptances(rows)
    left = []
    for row in rows:
        acceptance = stored.get((row.kind.name, row.key))
        if acceptance is None:
            left.append(row)
        elif acceptance != row.acceptance:
            set_aside(row, "the number is taken by another row")
    free = {row.acceptance for row in left}
    known = [row for row in rows if row.acceptance not in free]
    logger.info(Event.ROWS_KNOWN, **_log_fields(known))
    return left


def _log_fields(rows: Sequence[NumberedRow]) -> dict[str, Any]:
    """As a log says it: how many, and of the first of them which."""
    some = rows[:_NAMED]
    requests = {row.request_id for row in some if row.request_id}
    return {"rows": len(rows), "keys": [row.key for row in some], "request_ids": sorted(requests)}


def store_one_by_one(rows: Sequence[NumberedRow]) -> None:
    """The same for rows of which one may kill its worker: one by one, and the killer set aside.

    Each row bears the mark of its process in Redis while it is tried. One with the mark of another
    process did not survive its last attempt.
    """
    for row in rows:
        if not _mark(row) and _rows_with_free_numbers([row]):
            set_aside(row, "it was being stored when its worker was killed")
        else:
            try:
                store_rows([row])
            finally:
                _unmark(row)


def _mark(row: NumberedRow) -> bool:
    """Whether the row had no mark of another process; without Redis none has."""
    key, me = attempt(row.acceptance), f"{platform.node()}/{os.getpid()}"
    try:
        if ask_redis(lambda server: server.set(key, me, nx=True, ex=_MARK_SECONDS)):
            return True
        return bool(ask_redis(lambda server: server.get(key)) == me.encode())
    except RedisUnavailable:
        return True


def _unmark(row: NumberedRow) -> None:
    with suppress(RedisUnavailable):
        ask_redis(lambda server: server.delete(attempt(row.acceptance)))
