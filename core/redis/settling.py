"""What Redis is told after a commit: which counts have changed, and which rows pend no more."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import orjson

from core.redis import keys
from core.redis.guard import ask
from core.rows import Key, Kind, NumberedRow

_SCRIPT = (Path(__file__).parent / "settle.lua").read_text()

#: How long the sweeper takes the workers for busy after a commit.
PROGRESS_SECONDS = 30


def settle_in_redis(
    rows: Mapping[Kind, Sequence[NumberedRow]],
    changed: Mapping[Kind, Mapping[Kind, Sequence[Key]]],
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
            pipeline.eval(_SCRIPT, len(names), *names, orjson.dumps(batch))
        pipeline.execute()

    ask(send)


def _batch(
    kind: Kind,
    rows: Sequence[NumberedRow],
    changed: Mapping[Kind, Sequence[Key]],
    *,
    by_worker: bool,
) -> tuple[list[str], dict[str, object]]:
    """The script's keys, and its argument."""
    numbers: defaultdict[str, list[int]] = defaultdict(list)
    for row in rows:
        numbers[keys.parent_name(row.parent)].append(row.number)
    names = [
        keys.PENDING_PARENTS,
        keys.progress(kind.name),
        *(keys.dirty(counted.name) for counted in changed),
        *map(keys.pending, numbers),
    ]
    return names, {
        "flags": [list(map(keys.parent_name, parents)) for parents in changed.values()],
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
