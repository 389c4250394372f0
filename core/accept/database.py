"""A group of new rows, numbered and stored by the database alone: one transaction for all.

This is the way of the embedded profile, and of every other while Redis is away. A row that cannot
be stored takes only its own request with it: the group is then stored one by one, in the same
order, each in a transaction of its own.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import islice

from django.db import DataError, IntegrityError
from django.db.models import Model

from core.accept.submission import Submission
from core.changes import tell
from core.errors import NotFound
from core.numbering.database import take_numbers
from core.rows import Key, Kind, NewRow
from core.transactions import in_transaction

Outcome = Model | Exception


def store(
    submissions: Sequence[Submission],
    *,
    before: Callable[[], object] = lambda: None,
    missing: Callable[[Submission], Exception] = lambda one: one.kind.parent_missing(),
) -> list[Sequence[Model] | Exception]:
    """For each submission what was stored, or why it was not. Raises what concerns all of them.

    `before` runs first in each transaction; `missing` says what rows without a parent are told.
    """

    def attempt(some: Sequence[Submission]) -> list[Sequence[Model] | Exception]:
        def work() -> list[Sequence[Model] | Exception]:
            before()
            return _insert(some)

        return in_transaction(work)

    def alone(one: Submission) -> Sequence[Model] | Exception:
        try:
            [outcome] = attempt([one])
        except Exception as error:  # noqa: BLE001 - it is this one's and no other's
            return error
        return outcome

    try:
        outcomes = attempt(submissions)
    except (DataError, IntegrityError):
        outcomes = [alone(one) for one in submissions]
    return [
        missing(one) if isinstance(outcome, NotFound) else outcome
        for one, outcome in zip(submissions, outcomes, strict=True)
    ]


def _insert(submissions: Sequence[Submission]) -> list[Sequence[Model] | Exception]:
    outcomes = iter(insert([row for one in submissions for row in one.rows]))
    return [_together(list(islice(outcomes, len(one.rows)))) for one in submissions]


def _together(outcomes: Sequence[Outcome]) -> Sequence[Model] | Exception:
    """All the rows of a submission; or that their parent is missing, which concerns all."""
    stored = [outcome for outcome in outcomes if isinstance(outcome, Model)]
    errors = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    return errors[0] if errors else stored


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
