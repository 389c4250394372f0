"""A group of new rows, numbered and stored by the database alone: one transaction for all.

This is the way of the embedded profile, and of every other while Redis is away. One row that cannot
be stored does not take the others with it: the group is then stored row by row, in the same order,
each in a transaction of its own.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence

from django.db import DataError, IntegrityError
from django.db.models import Model

from core.changes import tell
from core.errors import NotFound
from core.numbering.database import take_numbers
from core.rows import Key, Kind, NewRow
from core.transactions import in_transaction

Outcome = Model | Exception


def store(
    rows: Sequence[NewRow],
    *,
    before: Callable[[], object] = lambda: None,
    missing: Callable[[NewRow], Exception] = lambda row: row.kind.parent_missing(),
) -> list[Outcome]:
    """For each row what was stored, or why it was not. Raises what concerns all of them.

    `before` runs first in each transaction; `missing` says what a row without a parent is told.
    """

    def attempt(some: Sequence[NewRow]) -> list[Outcome]:
        def work() -> list[Outcome]:
            before()
            return insert(some)

        return in_transaction(work)

    def alone(row: NewRow) -> Outcome:
        try:
            [outcome] = attempt([row])
        except Exception as error:  # noqa: BLE001 - it is this row's and no other's
            return error
        return outcome

    try:
        outcomes = attempt(rows)
    except (DataError, IntegrityError):
        outcomes = [alone(row) for row in rows]
    return [
        missing(row) if isinstance(outcome, NotFound) else outcome
        for row, outcome in zip(rows, outcomes, strict=True)
    ]


def insert(rows: Sequence[NewRow]) -> list[Outcome]:
    """For each row what was stored, or that its parent is missing; in the caller's transaction."""
    outcomes = _number(rows)
    by_kind: defaultdict[Kind, list[Model]] = defaultdict(list)
    for row, outcome in zip(rows, outcomes, strict=True):
        if isinstance(outcome, Model):
            by_kind[row.kind].append(outcome)
    for kind, instances in by_kind.items():
        kind.model._default_manager.bulk_create(instances)
        tell(kind, list(map(kind.key_of, instances)))
    return outcomes


def _number(rows: Sequence[NewRow]) -> list[Outcome]:
    """Each row with its number, or the error that its parent is missing; in the order given."""
    waiting: defaultdict[tuple[str, Key], list[int]] = defaultdict(list)
    for position, row in enumerate(rows):
        waiting[row.kind.parent._meta.db_table, row.parent].append(position)
    outcomes: dict[int, Outcome] = {}
    # Rivals that lock in the same order wait for each other and never in a circle.
    for table, parent in sorted(waiting):
        positions = waiting[table, parent]
        kind = rows[positions[0]].kind
        numbers = take_numbers(kind.parent_row(parent), len(positions))
        if numbers is None:
            # An error of its own for each row: it is raised in the thread of its request.
            outcomes |= {position: kind.parent_missing() for position in positions}
            continue
        for position, number in zip(positions, numbers, strict=True):
            outcomes[position] = rows[position].numbered(number).instance()
    return [outcomes[position] for position in range(len(rows))]
