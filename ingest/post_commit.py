"""What Redis is told after a commit: which counts have changed, and which rows pend no more.

What follows a commit: flags for the count job, and the rows are no longer pending.

In this order, so that whoever dies in between has flagged too much and nothing too little; rows
that stay pending are stored again by the sweeper, which finds them stored.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import orjson

from infra.database import in_transaction
from infra.natural_keys import with_keys
from infra.redis_client import RedisUnavailable, ask_redis
from ingest import redis_keys
from ingest.models import CountState
from ingest.records import Key, NumberedRow, RecordType, record_type_of_parent

_CLEAR_PENDING = (Path(__file__).parent / "clear_pending.lua").read_text()

#: How long the sweeper takes the workers for busy after a commit.
PROGRESS_SECONDS = 30


def clear_pending(
    rows: Mapping[RecordType, Sequence[NumberedRow]],
    changed: Mapping[RecordType, Mapping[RecordType, Sequence[Key]]],
    *,
    by_worker: bool,
) -> None:
    """Flag what `changed` by these rows, then take them out of what pends; one round trip.

    `rows` and `changed` are by the kind of the rows, `changed` then by the kind whose flags they
    are. `by_worker`: the rows came by the queue, so later ones are still to come there.
    Raises NoRedis.
    """

    def send(server: Any) -> None:
        pipeline = server.pipeline(transaction=False)
        for kind, of_kind in rows.items():
            names, batch = _batch(kind, of_kind, changed[kind], by_worker=by_worker)
            pipeline.eval(_CLEAR_PENDING, len(names), *names, orjson.dumps(batch))
        pipeline.execute()

    ask_redis(send)


def _batch(
    kind: RecordType,
    rows: Sequence[NumberedRow],
    changed: Mapping[RecordType, Sequence[Key]],
    *,
    by_worker: bool,
) -> tuple[list[str], dict[str, object]]:
    """The script's keys, and its argument."""
    numbers: defaultdict[str, list[int]] = defaultdict(list)
    for row in rows:
        numbers[redis_keys.parent_name(row.parent)].append(row.number)
    names = [
        redis_keys.PENDING_PARENTS,
        redis_keys.progress(kind.name),
        *(redis_keys.dirty(counted.name) for counted in changed),
        *map(redis_keys.pending, numbers),
    ]
    return names, {
        "flags": [list(map(redis_keys.parent_name, parents)) for parents in changed.values()],
        "parents": [{"name": name, "runs": _runs(of)} for name, of in numbers.items()],
        "accepted": by_worker and max(row.accepted_us for row in rows) // 1000,
        "seconds": PROGRESS_SECONDS,
    }


def _runs(numbers: Iterable[int]) -> list[tuple[str, str]]:
    """First and last of each run of consecutive numbers."""
    in_order = sorted(set(numbers))
    by_run = groupby(enumerate(in_order), key=lambda one: one[1] - one[0])
    runs = [[number for _, number in run] for _, run in by_run]
    return [(str(run[0]), str(run[-1])) for run in runs]


def finish_queued(rows: Sequence[NumberedRow]) -> None:
    """These rows, which came by the queue, are stored or set aside.

    The sweeper leaves what was accepted later to the queue for a while. Without Redis the flags are
    set in the database, and the sweeper removes the rows when Redis is back. Raises
    OperationalError when the database fails then.
    """
    _finish(rows, by_worker=True)


def finish_unqueued(rows: Sequence[NumberedRow]) -> None:
    """The same for rows that came another way and tell nothing of how far the queue is."""
    _finish(rows, by_worker=False)


def _finish(rows: Sequence[NumberedRow], *, by_worker: bool) -> None:
    by_kind: defaultdict[RecordType, list[NumberedRow]] = defaultdict(list)
    for row in rows:
        by_kind[row.kind].append(row)
    changed = {kind: changed_counts(kind, of_kind) for kind, of_kind in by_kind.items()}
    try:
        clear_pending(by_kind, changed, by_worker=by_worker)
    except RedisUnavailable:
        for parents_by_kind in changed.values():
            for kind, parents in parents_by_kind.items():
                flag_in_database(kind, parents)


def changed_counts(
    kind: RecordType, rows: Sequence[NumberedRow]
) -> dict[RecordType, Sequence[Key]]:
    """The parents whose counts these rows of one kind change, by the kind that is counted.

    A row that is a parent itself is among them: its children may have been stored before it, when
    it was not there to be flagged.
    """
    changed: dict[RecordType, Sequence[Key]] = {kind: list({row.parent: None for row in rows})}
    if kind.numbers_children:
        changed[record_type_of_parent(rows[0].key)] = [row.key for row in rows]
    return changed


def flag_in_database(kind: RecordType, parents: Sequence[Key]) -> None:
    """Flag those of these parents of such rows that are stored. Raises OperationalError."""
    if not parents:
        return
    rows = kind.parent._default_manager.filter(with_keys(kind.parent_fields, parents))
    in_transaction(lambda: rows.update(count_state=CountState.CHANGED))
