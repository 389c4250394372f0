"""A group of new rows, numbered and stored by the database alone: one transaction for all.

This is the way of the embedded profile, and of every other while Redis is away. A row that cannot
be stored takes only its own request with it: the group is then stored one by one, in the same
order, each in a transaction of its own.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import islice

from django.db import Error, IntegrityError

from core.accept.repeats import named
from core.accept.statement import insert as insert_numbered
from core.accept.submission import Submission
from core.errors import KeyReused, NotFound
from core.idempotency import records
from core.idempotency.records import Record
from core.metrics import ACCEPT_SECONDS, ACCEPTED
from core.numbering.database import take_numbers
from core.rows import Key, NewRow, NumberedRow
from core.service_errors import blames_row
from core.transactions import in_transaction

Outcome = NumberedRow | Exception
Outcomes = list[Sequence[NumberedRow] | Exception]

#: So often a request with a key is tried while a rival does the same one.
RIVALS = 3

_seconds, _accepted = ACCEPT_SECONDS.labels("database"), ACCEPTED.labels("database")


def store(
    submissions: Sequence[Submission],
    *,
    before: Callable[[], object] = lambda: None,
    missing: Callable[[Submission], Exception] = lambda one: one.kind.parent_missing(),
) -> Outcomes:
    """For each submission what was stored, or why it was not. Raises what concerns all of them.

    `before` runs first in each transaction; `missing` says what rows without a parent are told.
    """
    with _seconds.time():
        outcomes = _store(submissions, before)
    _accepted.inc(sum(len(rows) for rows in outcomes if not isinstance(rows, Exception)))
    return [
        missing(one) if isinstance(outcome, NotFound) else outcome
        for one, outcome in zip(submissions, outcomes, strict=True)
    ]


def _store(submissions: Sequence[Submission], before: Callable[[], object]) -> Outcomes:

    def attempt(some: Sequence[Submission]) -> Outcomes:
        def work() -> Outcomes:
            before()
            return _insert(some)

        return in_transaction(work)

    together = _first_of_each_key(submissions)
    try:
        done = dict(zip(together, attempt([submissions[at] for at in together]), strict=True))
    except Error as error:
        if not blames_row(error):
            raise
        done = {}
    return [done[at] if at in done else _alone(attempt, one) for at, one in enumerate(submissions)]


def _first_of_each_key(submissions: Sequence[Submission]) -> list[int]:
    """The positions of all but those that repeat another one of the group."""
    firsts = {
        one.request.key.name if one.request else at: at
        for at, one in reversed(list(enumerate(submissions)))
    }
    return sorted(firsts.values())


def _alone(
    attempt: Callable[[Sequence[Submission]], Outcomes], one: Submission
) -> Sequence[NumberedRow] | Exception:
    outcome: Sequence[NumberedRow] | Exception
    for _ in range(RIVALS if one.request else 1):
        try:
            [outcome] = attempt([one])
        except Exception as error:  # noqa: BLE001 - it is this one's and no other's
            outcome = error
        # A rival has done the same request a moment ago: the next attempt finds it.
        if not isinstance(outcome, IntegrityError):
            break
    return outcome


def _insert(submissions: Sequence[Submission]) -> Outcomes:
    """Repeats are answered, all others stored; no key is there twice."""
    requests = named(submissions)
    known = records.find(requests) if requests else {}
    outcomes: Outcomes = []
    fresh: list[Submission] = []
    for one in submissions:
        record = one.request and known.get(one.request.key.name)
        outcomes.append(_repeated(one, record) if record else [])
        if not record:
            fresh.append(one)
    stored = iter(_insert_fresh(fresh))
    return [outcome or next(stored) for outcome in outcomes]


def _insert_fresh(submissions: Sequence[Submission]) -> Outcomes:
    rows = iter(insert([row for one in submissions for row in one.rows]))
    outcomes = [_together(list(islice(rows, len(one.rows)))) for one in submissions]
    first_rows = [
        one.numbered(outcome[0].number)[0]
        for one, outcome in zip(submissions, outcomes, strict=True)
        if one.request and not isinstance(outcome, Exception)
    ]
    if first_rows:
        records.claim(first_rows)
    return outcomes


def _repeated(one: Submission, record: Record) -> Sequence[NumberedRow] | Exception:
    try:
        return one.repeated(record.fingerprint, record.first_number, record.accepted_at)
    except KeyReused as error:
        return error


def _together(outcomes: Sequence[Outcome]) -> Sequence[NumberedRow] | Exception:
    """All the rows of a submission; or that their parent is missing, which concerns all."""
    stored = [outcome for outcome in outcomes if isinstance(outcome, NumberedRow)]
    errors = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    return errors[0] if errors else stored


def insert(rows: Sequence[NewRow]) -> list[Outcome]:
    """For each row what was stored, or that its parent is missing; in the caller's transaction."""
    outcomes = _number(rows)
    insert_numbered([outcome for outcome in outcomes if isinstance(outcome, NumberedRow)])
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
            outcomes[position] = rows[position].numbered(number)
    return [outcomes[position] for position in range(len(rows))]
