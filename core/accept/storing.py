"""The idempotent insert: however often a row comes, it is in its table once, or set aside.

A plain INSERT of all rows, in one transaction, is tried first. Where it is refused, the stored rows
are read: one with the same acceptance is this row, delivered again, and one with another is an
alarm. Only errors of the data blame a row; for the rest the caller repeats the whole batch.
"""

import os
import platform
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from django.db import Error

from core.accept.dead_letters import set_aside
from core.accept.purged import late
from core.accept.statement import insert
from core.accept.stored import acceptances
from core.idempotency.records import keep
from core.logs import Event, get_logger
from core.redis.guard import NoRedis, ask
from core.redis.keys import attempt
from core.rows import NumberedRow
from core.service_errors import blames_row, is_duplicate
from core.transactions import in_transaction

logger = get_logger(__name__)

#: So many rows of a batch are named in a log.
_NAMED = 20
_MARK_SECONDS = 3600


class _CameLate(Exception):
    """These rows had been stored and purged before."""

    def __init__(self, rows: Sequence[NumberedRow]) -> None:
        super().__init__(f"{len(rows)} rows")
        self.rows = rows


def store_numbered(rows: Sequence[NumberedRow]) -> None:
    """Return when each row is in its table exactly once, or a dead letter, or known as purged.

    Raises django.db.Error when the database cannot do it now: then some rows may be stored, and
    all of them are to be given again.
    """
    if not rows:
        return
    firsts = {(row.kind.name, row.key): row for row in reversed(rows)}
    _store(list(firsts.values()))
    store_numbered(
        [row for row in rows if firsts[row.kind.name, row.key].acceptance != row.acceptance]
    )


def _store(rows: Sequence[NumberedRow]) -> None:
    try:
        in_transaction(lambda: _insert(rows))
    except _CameLate as purged:
        logger.info(Event.ROWS_PURGED, **_named(purged.rows))
        acceptances = {row.acceptance for row in purged.rows}
        store_numbered([row for row in rows if row.acceptance not in acceptances])
    except Error as error:
        if is_duplicate(error):
            left = _not_stored(rows)
            if len(left) == len(rows):
                raise  # nobody's row is in the way, so nobody's row may be blamed
            store_numbered(left)
        elif not blames_row(error):
            raise
        elif len(rows) == 1:
            set_aside(rows[0], f"{type(error).__name__}: {error}", error)
        else:
            _store(rows[: len(rows) // 2])
            _store(rows[len(rows) // 2 :])


def _insert(rows: Sequence[NumberedRow]) -> None:
    insert(rows)
    if any(row.request for row in rows):
        keep(rows)
    if purged := late(rows):
        raise _CameLate(purged)


def _not_stored(rows: Sequence[NumberedRow]) -> list[NumberedRow]:
    """The rows whose number is free; strangers to the stored ones are set aside."""
    stored = acceptances(rows)
    left = []
    for row in rows:
        acceptance = stored.get((row.kind.name, row.key))
        if acceptance is None:
            left.append(row)
        elif acceptance != row.acceptance:
            set_aside(row, "the number is taken by another row")
    free = {row.acceptance for row in left}
    known = [row for row in rows if row.acceptance not in free]
    logger.info(Event.ROWS_KNOWN, **_named(known))
    return left


def _named(rows: Sequence[NumberedRow]) -> dict[str, Any]:
    """As a log says it: how many, and of the first of them which."""
    some = rows[:_NAMED]
    requests = {row.request_id for row in some if row.request_id}
    return {"rows": len(rows), "keys": [row.key for row in some], "request_ids": sorted(requests)}


def store_each(rows: Sequence[NumberedRow]) -> None:
    """The same for rows of which one may kill its worker: one by one, and the killer set aside.

    Each row bears the mark of its process in Redis while it is tried. One with the mark of another
    process did not survive its last attempt.
    """
    for row in rows:
        if not _mark(row) and _not_stored([row]):
            set_aside(row, "it was being stored when its worker was killed")
        else:
            try:
                store_numbered([row])
            finally:
                _unmark(row)


def _mark(row: NumberedRow) -> bool:
    """Whether the row had no mark of another process; without Redis none has."""
    key, me = attempt(row.acceptance), f"{platform.node()}/{os.getpid()}"
    try:
        if ask(lambda server: server.set(key, me, nx=True, ex=_MARK_SECONDS)):
            return True
        return bool(ask(lambda server: server.get(key)) == me.encode())
    except NoRedis:
        return True


def _unmark(row: NumberedRow) -> None:
    with suppress(NoRedis):
        ask(lambda server: server.delete(attempt(row.acceptance)))
