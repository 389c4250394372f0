"""The steps after a commit: flag the counts that changed, then clear the pending rows.

The order matters. A process that dies in between leaves too many flags, never too few. Rows that
stay pending reach the sweeper, which finds them stored.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import orjson

from infra.database import in_transaction
from infra.natural_keys import with_keys
from infra.redis_client import RedisUnavailable, Shard, ask_redis, shard_of
from ingest import redis_keys
from ingest.models import CountState
from ingest.records import Key, NumberedRow, RecordType, by_record_type, record_type_of_parent

_CLEAR_PENDING = (Path(__file__).parent / "clear_pending.lua").read_text()

#: For this long after a commit the sweeper considers the workers busy.
PROGRESS_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Finished:
    """Rows of one record type, and the parents whose counts they change, by the counted type."""

    record_type: RecordType
    rows: Sequence[NumberedRow]
    changed: Mapping[RecordType, Sequence[Key]]


def clear_pending(shard: Shard, finished: Sequence[Finished], *, by_worker: bool) -> None:
    """Set the flags of changed counts, then clear the pending rows of a shard; one round trip.

    `by_worker`: the rows came through the queue, so later rows are still in it. Raises
    RedisUnavailable.
    """

    def send(server: Any) -> None:
        pipeline = server.pipeline(transaction=False)
        for each in finished:
            names, argument = _script_call(shard, each, by_worker=by_worker)
            pipeline.eval(_CLEAR_PENDING, len(names), *names, orjson.dumps(argument))
        pipeline.execute()

    ask_redis(shard, send)


def _script_call(
    shard: Shard, finished: Finished, *, by_worker: bool
) -> tuple[list[str], dict[str, object]]:
    """The keys and the argument of the script."""
    numbers: defaultdict[str, list[int]] = defaultdict(list)
    for row in finished.rows:
        numbers[redis_keys.parent_name(row.parent)].append(row.number)
    names = [
        redis_keys.pending_parents(shard),
        redis_keys.progress(shard, finished.record_type.name),
        *(redis_keys.dirty(shard, counted.name) for counted in finished.changed),
        *map(redis_keys.pending, numbers),
    ]
    return names, {
        "flags": [
            list(map(redis_keys.parent_name, parents)) for parents in finished.changed.values()
        ],
        "parents": [{"name": name, "runs": _runs(of)} for name, of in numbers.items()],
        "accepted": by_worker and max(row.accepted_us for row in finished.rows) // 1000,
        "seconds": PROGRESS_SECONDS,
    }


def _runs(numbers: Iterable[int]) -> list[tuple[str, str]]:
    """The first and last number of each run of consecutive ones."""
    in_order = sorted(set(numbers))
    by_run = groupby(enumerate(in_order), key=lambda one: one[1] - one[0])
    runs = [[number for _, number in run] for _, run in by_run]
    return [(str(run[0]), str(run[-1])) for run in runs]


def finish_queued(rows: Sequence[NumberedRow]) -> None:
    """Finish rows that came through the queue and are stored now, or dead letters.

    The sweeper leaves rows that were accepted later to the queue for a while. Without Redis the
    flags go into the database, and the sweeper removes the rows when Redis is back. Raises
    OperationalError if the database fails then.
    """
    _finish(rows, by_worker=True)


def finish_unqueued(rows: Sequence[NumberedRow]) -> None:
    """Finish rows that came another way; they say nothing about the progress of the queue."""
    _finish(rows, by_worker=False)


def _finish(rows: Sequence[NumberedRow], *, by_worker: bool) -> None:
    by_shard: defaultdict[Shard, list[NumberedRow]] = defaultdict(list)
    for row in rows:
        by_shard[shard_of(str(row.key[0]))].append(row)
    for shard, of_shard in by_shard.items():
        finished = [
            Finished(record_type, typed_rows, changed_counts(record_type, typed_rows))
            for record_type, typed_rows in by_record_type(of_shard).items()
        ]
        try:
            clear_pending(shard, finished, by_worker=by_worker)
        except RedisUnavailable:
            for each in finished:
                for record_type, parents in each.changed.items():
                    flag_in_database(record_type, parents)


def changed_counts(
    record_type: RecordType, rows: Sequence[NumberedRow]
) -> dict[RecordType, Sequence[Key]]:
    """The parents whose counts these rows of one record type change, by the counted record type.

    New parents are included: their children may have been stored before them, when there was no
    row to flag.
    """
    changed: dict[RecordType, Sequence[Key]] = {
        record_type: list({row.parent: None for row in rows})
    }
    if record_type.numbers_children:
        changed[record_type_of_parent(rows[0].key)] = [row.key for row in rows]
    return changed


def flag_in_database(record_type: RecordType, parents: Sequence[Key]) -> None:
    """Flag these parents in their table, as far as they are stored. Raises OperationalError."""
    if not parents:
        return
    rows = record_type.parent._default_manager.filter(with_keys(record_type.parent_fields, parents))
    in_transaction(lambda: rows.update(count_state=CountState.CHANGED))
