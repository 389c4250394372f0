"""The idempotent insert: a row is stored once, however often it comes, or becomes a dead letter.

If an INSERT of all rows hits a duplicate, it reads the stored rows: one with the same acceptance id
is this row, delivered again; one with another id is an alarm. If the data of some row is refused,
it halves the batch until it has found that row.
"""

import os
import platform
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Any

from django.db import Error

from infra.database import in_transaction
from infra.logs import Event, get_logger
from infra.natural_keys import in_pieces
from infra.redis_client import RedisUnavailable, ask_redis, shard_of
from infra.service_errors import blames_row, is_duplicate
from ingest.bulk_insert import bulk_insert
from ingest.dead_letters.set_aside import MAX_NUMBER, set_aside
from ingest.idempotency.records import Superseded, remember_stored
from ingest.late_rows import purged_rows
from ingest.numbering.leases import record_skip
from ingest.records import Key, NumberedRow, by_record_type
from ingest.redis_keys import attempt


def stored_acceptances(rows: Iterable[NumberedRow]) -> dict[tuple[str, Key], str]:
    """The acceptance ids that are stored under the keys of these rows, by record type and key."""
    return {
        (record_type.name, tuple(key)): acceptance.hex
        for record_type, typed_rows in by_record_type(rows).items()
        for wanted in in_pieces(record_type.key_fields, [row.key for row in typed_rows])
        for *key, acceptance in record_type.model._default_manager.filter(wanted).values_list(
            *record_type.key_fields, "acceptance"
        )
    }


def rows_not_stored(rows: Sequence[NumberedRow]) -> list[NumberedRow]:
    """The rows that are missing and were not purged, or whose number another row has."""
    possible = [row for row in rows if row.number <= MAX_NUMBER]
    stored = stored_acceptances(possible)
    purged = {row.acceptance for row in purged_rows(possible)}
    return [
        row
        for row in rows
        if stored.get((row.record_type.name, row.key)) != row.acceptance
        and row.acceptance not in purged
    ]


logger = get_logger(__name__)

#: A log line names at most this many rows of a batch.
_NAMED = 20
_MARK_SECONDS = 3600


class _PurgedRows(Exception):
    """These rows were stored and purged before."""

    def __init__(self, rows: Sequence[NumberedRow]) -> None:
        super().__init__(f"{len(rows)} rows")
        self.rows = rows


def store_rows(rows: Sequence[NumberedRow], *, drop_superseded: bool = False) -> None:
    """Store each row exactly once, make it a dead letter, or recognise it as purged.

    `drop_superseded`: drop rows whose requests were accepted again after Redis had forgotten them.
    They come so late that no client was told of them (ingest.earlier_keys). By default both rows
    are stored.
    Raises django.db.Error if the database cannot do it now. Some rows may then be stored; the
    caller repeats all of them.
    """
    if not rows:
        return
    firsts = {(row.record_type.name, row.key): row for row in reversed(rows)}
    _store_or_halve(list(firsts.values()), drop_superseded)
    store_rows(
        [row for row in rows if firsts[row.record_type.name, row.key].acceptance != row.acceptance],
        drop_superseded=drop_superseded,
    )


def _store_or_halve(rows: Sequence[NumberedRow], drop_superseded: bool) -> None:
    store_left = partial(store_rows, drop_superseded=drop_superseded)
    try:
        in_transaction(lambda: _insert_batch(rows, drop_superseded))
    except _PurgedRows as purged:
        logger.info(Event.ROWS_PURGED, **_log_fields(purged.rows))
        store_left(_without(purged.rows, rows))
    except Superseded as superseded:
        dropped = list(_whole_requests(superseded.rows, rows))
        in_transaction(lambda: _skip_numbers(dropped))
        logger.warning(Event.ROWS_SUPERSEDED, **_log_fields(dropped))
        store_left(_without(dropped, rows))
    except Error as error:
        if is_duplicate(error):
            left = _rows_with_free_numbers(rows)
            if len(left) == len(rows):
                raise  # no stored row is in the way, so no row is to blame
            store_left(left)
        elif not blames_row(error):
            raise
        elif len(rows) == 1:
            set_aside(rows[0], f"{type(error).__name__}: {error}", error)
        else:
            _store_or_halve(rows[: len(rows) // 2], drop_superseded)
            _store_or_halve(rows[len(rows) // 2 :], drop_superseded)


def _insert_batch(rows: Sequence[NumberedRow], refuse_superseded: bool) -> None:
    bulk_insert(rows)
    if any(row.request for row in rows):
        remember_stored(rows, refuse_superseded=refuse_superseded)
    if purged := purged_rows(rows):
        raise _PurgedRows(purged)


def _without(some: Iterable[NumberedRow], rows: Iterable[NumberedRow]) -> list[NumberedRow]:
    """The rows that are none of these."""
    acceptances = {row.acceptance for row in some}
    return [row for row in rows if row.acceptance not in acceptances]


def _whole_requests(
    firsts: Iterable[NumberedRow], rows: Sequence[NumberedRow]
) -> Iterator[NumberedRow]:
    """All rows of the requests with these first rows: they have the next numbers, and no key."""
    by_key = {(row.record_type.name, row.key): row for row in rows}
    for first in firsts:
        yield first
        for number in count(first.number + 1):
            row = by_key.get((first.record_type.name, (*first.parent, number)))
            if row is None or row.request or row.accepted_us != first.accepted_us:
                break
            yield row


def _skip_numbers(rows: Iterable[NumberedRow]) -> None:
    for row in rows:
        reason = "its request was accepted again under another number"
        record_skip(row.parent, row.number + 1, reason, skipped_from=row.number)


def _rows_with_free_numbers(rows: Sequence[NumberedRow]) -> list[NumberedRow]:
    """The rows whose number is free; rows whose number another row has become dead letters."""
    stored = stored_acceptances(rows)
    left = []
    for row in rows:
        acceptance = stored.get((row.record_type.name, row.key))
        if acceptance is None:
            left.append(row)
        elif acceptance != row.acceptance:
            set_aside(row, "the number is taken by another row")
    logger.info(Event.ROWS_KNOWN, **_log_fields(_without(left, rows)))
    return left


def _log_fields(rows: Sequence[NumberedRow]) -> dict[str, Any]:
    """Fields of a log line: the number of rows, and the keys of the first ones."""
    some = rows[:_NAMED]
    requests = {row.request_id for row in some if row.request_id}
    return {"rows": len(rows), "keys": [row.key for row in some], "request_ids": sorted(requests)}


def store_one_by_one(rows: Sequence[NumberedRow]) -> None:
    """Store rows one by one if one of them may kill its worker; that one becomes a dead letter.

    While a row is tried, Redis holds a mark of the process. A row with another process's mark
    killed that process at its last attempt.
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
    """Mark the row; false if another process's mark is there. Without Redis there are no marks."""
    shard, me = shard_of(str(row.key[0])), f"{platform.node()}/{os.getpid()}"
    key = attempt(shard, row.acceptance)
    try:
        if ask_redis(shard, lambda server: server.set(key, me, nx=True, ex=_MARK_SECONDS)):
            return True
        return bool(ask_redis(shard, lambda server: server.get(key)) == me.encode())
    except RedisUnavailable:
        return True


def _unmark(row: NumberedRow) -> None:
    shard = shard_of(str(row.key[0]))
    with suppress(RedisUnavailable):
        ask_redis(shard, lambda server: server.delete(attempt(shard, row.acceptance)))
