"""Numbers that were given and have no row: pending, set aside, skipped, or lost."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import Count, Max, Min, QuerySet

from infra.redis_client import RedisUnavailable, redis_is_configured
from ingest.models import DeadLetter, NumberSkip, letters_of
from ingest.records import Key, RecordType
from ingest.redis_keys import parent_name
from operations.audit.checks import Finding, error, info, run_text
from operations.audit.redis_state import pending_numbers

#: Up to this many numbers are listed; a longer range is halved and counted first.
MAX_LISTED = 5000


def check_gaps(kind: RecordType, parent: Key, first: int, last: int) -> Iterator[Finding]:
    """Each number from `first` to `last` has its row, or a known reason why it has none."""
    for run, skip in _missing_everywhere(kind, parent, first, last):
        if skip is None:
            what = "neither stored, nor pending, nor set aside, and no skip is recorded"
            yield error("gaps", parent, f"{kind.name} {run_text(run)} missing: {what}")
        else:
            yield info("gaps", parent, f"{kind.name} {run_text(run)} never given: {skip.reason}")


def lost(kind: RecordType, parent: Key, first: int, last: int) -> Iterator[range]:
    """The runs of numbers that are nowhere and that no recorded skip explains."""
    return (run for run, skip in _missing_everywhere(kind, parent, first, last) if skip is None)


def _missing_everywhere(
    kind: RecordType, parent: Key, first: int, last: int
) -> Iterator[tuple[range, NumberSkip | None]]:
    """The runs of numbers that are nowhere, each with the skip that explains it, if any."""
    rows, number = kind.rows(parent), kind.number_field
    for run in missing(rows, number, first, last):
        for not_pending in without(run, _pending(parent, run)):
            # Pending rows may have moved into the table since it was read.
            for gap in missing(rows, number, not_pending.start, not_pending.stop - 1):
                for unknown in without(gap, _dead_letters(kind, parent, gap)):
                    yield from _explained(parent, unknown)


def missing(rows: "QuerySet[Any]", number: str, first: int, last: int) -> Iterator[range]:
    """The runs of numbers from `first` to `last` that no row has; adjacent ones are joined."""
    run = range(0)
    for part in _missing_parts(rows, number, first, last):
        if run and run.stop == part.start:
            run = range(run.start, part.stop)
            continue
        if run:
            yield run
        run = part
    if run:
        yield run


def _missing_parts(rows: "QuerySet[Any]", number: str, first: int, last: int) -> Iterator[range]:
    """Like `missing`, but a run may come in several parts.

    The ranges below the first row and above the last take one step, so the cost depends on the
    number of rows and not on the length of a skip.
    """
    here = rows.filter(**{f"{number}__gte": first, f"{number}__lte": last})
    size = last - first + 1
    if size <= MAX_LISTED:
        numbers = here.order_by(number).values_list(number, flat=True) if size > 0 else ()
        yield from without(range(first, last + 1), list(numbers))
        return
    found = here.order_by().aggregate(n=Count("pk"), low=Min(number), high=Max(number))
    if not found["n"]:
        yield range(first, last + 1)
        return
    low, high = found["low"], found["high"]
    if low > first:
        yield range(first, low)
    if found["n"] < high - low + 1:
        middle = (low + high) // 2
        yield from _missing_parts(rows, number, low, middle)
        yield from _missing_parts(rows, number, middle + 1, high)
    if high < last:
        yield range(high + 1, last + 1)


def without(run: range, numbers: Iterable[int]) -> Iterator[range]:
    """The parts of the run without these numbers, which are in ascending order."""
    start = run.start
    for number in numbers:
        if number > start:
            yield range(start, number)
        start = max(start, number + 1)
    if start < run.stop:
        yield range(start, run.stop)


def _pending(parent: Key, run: range) -> Iterator[int]:
    if not redis_is_configured():
        return
    try:
        yield from pending_numbers(parent_name(parent), run)
    except RedisUnavailable:
        return


def _dead_letters(kind: RecordType, parent: Key, run: range) -> Iterable[int]:
    """The numbers in this run that are dead letters, which are findings of their own."""
    letters = DeadLetter.objects.filter(
        letters_of(parent[0]),
        kind=kind.name,
        parent=parent_name(parent),
        number__gte=run.start,
        number__lt=run.stop,
    )
    numbers = letters.order_by("number").values_list("number", flat=True)
    return map(int, numbers.iterator())  # type: ignore[arg-type] # filtered: not null


def _explained(parent: Key, gap: range) -> Iterator[tuple[range, NumberSkip | None]]:
    """The gap cut into parts, each with the skip that explains it, if any.

    A skip explains the numbers right below `resumed_at`, or exactly the numbers that it names.
    """
    start = gap.start
    for skip in skips_in(parent, gap):
        first = max(start, skip.skipped_from or start)
        if first > start:
            yield range(start, first), None
        if skip.resumed_at > first:
            yield range(first, skip.resumed_at), skip
            start = skip.resumed_at
    if start < gap.stop:
        yield range(start, gap.stop), None


def skips_in(parent: Key, gap: range) -> Iterator[NumberSkip]:
    """The recorded skips that end within this gap, in ascending order."""
    ending = _skips_of(parent).filter(resumed_at__gt=gap.start, resumed_at__lte=gap.stop)
    return ending.order_by("resumed_at", "pk").iterator()


def skip_of(parent: Key, number: int) -> NumberSkip | None:
    """The skip that names this very number, if there is one."""
    return _skips_of(parent).filter(skipped_from__lte=number, resumed_at__gt=number).first()


def _skips_of(parent: Key) -> "QuerySet[NumberSkip]":
    token, chat_number = (*parent, None)[:2]
    return NumberSkip.objects.filter(application_token=token, chat_number=chat_number)
