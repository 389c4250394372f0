"""A group of new rows, numbered and stored by the database alone: one transaction for all.

This is the way of the embedded profile. One row that cannot be stored does not take the others with
it: the group is then stored row by row, in the same order, each in a transaction of its own.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import partial

from django.db import DataError, IntegrityError
from django.db.models import Model
from django.utils import timezone

from core.accept.rows import NewRow, ParentKey
from core.numbering import take_numbers
from core.transactions import in_transaction

Outcome = Model | Exception


def store(rows: Sequence[NewRow]) -> list[Outcome]:
    """For each row what was stored, or why it was not. Raises what concerns all of them."""
    try:
        return in_transaction(partial(insert, rows))
    except (DataError, IntegrityError):
        return [_store_alone(row) for row in rows]


def _store_alone(row: NewRow) -> Outcome:
    try:
        [outcome] = in_transaction(partial(insert, [row]))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this row's and no other's
        return error
    return outcome


def insert(rows: Sequence[NewRow]) -> list[Outcome]:
    """For each row what was stored, or that its parent is missing; in the caller's transaction."""
    outcomes = _number(rows)
    by_table: defaultdict[type[Model], list[Model]] = defaultdict(list)
    for outcome in outcomes:
        if isinstance(outcome, Model):
            by_table[type(outcome)].append(outcome)
    for table, instances in by_table.items():
        table._default_manager.bulk_create(instances)
    return outcomes


def _number(rows: Sequence[NewRow]) -> list[Outcome]:
    """Each row with its number, or the error that its parent is missing; in the order given."""
    now = timezone.now()
    waiting: defaultdict[ParentKey, list[int]] = defaultdict(list)
    for position, row in enumerate(rows):
        waiting[row.parent_key].append(position)
    outcomes: dict[int, Outcome] = {}
    # Rivals that lock in the same order wait for each other and never in a circle.
    for key in sorted(waiting):
        positions = waiting[key]
        numbers = take_numbers(rows[positions[0]].parent(), len(positions))
        if numbers is None:
            outcomes |= {position: rows[position].parent_missing() for position in positions}
            continue
        for position, number in zip(positions, numbers, strict=True):
            outcomes[position] = rows[position].numbered(number, now)
    return [outcomes[position] for position in range(len(rows))]
