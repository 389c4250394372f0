"""A group of new rows, numbered and stored by the database alone, in one transaction.

If a row cannot be stored, only its own request fails: the group is then stored one by one, in the
same order. A failed transaction leaves the parent's `number_ceiling` unchanged, so there is neither
a gap nor a repeat.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import islice

from django.db import Error, IntegrityError, transaction
from django.db.models import F, QuerySet

from infra.database import ShardFailed, in_transaction
from infra.errors import NotFound
from infra.service_errors import blames_row
from ingest.bulk_insert import bulk_insert
from ingest.idempotency import records
from ingest.metrics import ACCEPT_SECONDS, ACCEPTED
from ingest.models import CountState, Parent
from ingest.numbering.leases import record_skip
from ingest.records import Key, NewRow, NumberedRow
from ingest.submission import Submission, keyed_requests


def take_numbers(parent: "QuerySet[Parent]", count: int) -> range | None:
    """The next `count` numbers of this parent, or None if there is no such parent.

    Call it inside the transaction that inserts the rows. It holds the parent's lock until the end,
    so transactions that number children of several parents must do so in one order. The same write
    marks the parent for the count job.
    """
    _require_transaction()
    # Write first: the write locks the row. After a mere read, a rival could read the same ceiling.
    raised = parent.update(
        number_ceiling=F("number_ceiling") + count, count_state=CountState.CHANGED
    )
    if not raised:
        return None
    ceiling, lease_epoch = parent.values_list("number_ceiling", "lease_epoch").get()
    first = ceiling - count + 1
    if lease_epoch is not None:
        record_skip(parent.get().key, first, "numbers from the database")
        parent.update(lease_epoch=None)
    return range(first, ceiling + 1)


def claim_numbers(parent: "QuerySet[Parent]", numbers: Sequence[int]) -> list[bool]:
    """Whether each of these numbers, which rows bring along, is theirs: above all given before.

    Numbers that are left out are recorded as skipped. All are refused without such a parent, and
    once Redis has a lease of it: Redis may give a lower number later, but a row that is stored
    stands for all numbers below it. What `take_numbers` says of the transaction holds here too.
    """
    _require_transaction()
    if not parent.update(count_state=CountState.CHANGED):
        return [False] * len(numbers)
    row = parent.get()
    ceiling = row.number_ceiling
    claims: list[bool] = []
    for number in numbers:
        claims.append(number > ceiling and row.lease_epoch is None)
        if claims[-1]:
            if number > ceiling + 1:
                record_skip(row.key, number, "numbers of an import", skipped_from=ceiling + 1)
            ceiling = number
    if ceiling > row.number_ceiling:
        parent.update(number_ceiling=ceiling)
    return claims


def _require_transaction() -> None:
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("numbers are given in the transaction that inserts the rows")


RowOutcome = NumberedRow | Exception
Outcomes = list[Sequence[NumberedRow] | Exception]

#: Attempts of a request with a key while a rival makes the same request.
RIVAL_ATTEMPTS = 3

_database_seconds, _accepted_in_database = (
    ACCEPT_SECONDS.labels("database"),
    ACCEPTED.labels("database"),
)


def number_and_store(
    submissions: Sequence[Submission],
    *,
    before: Callable[[], object] = lambda: None,
    missing: Callable[[Submission], Exception] = lambda one: one.record_type.parent_missing(),
) -> Outcomes:
    """For each submission the stored rows, or its error. Raises errors that concern all of them.

    `before` runs first in each transaction; `missing` makes the error of rows without a parent.
    """
    with _database_seconds.time():
        outcomes = _store_group(submissions, before)
    _accepted_in_database.inc(
        sum(len(rows) for rows in outcomes if not isinstance(rows, Exception))
    )
    return [
        missing(one) if isinstance(outcome, NotFound) else outcome
        for one, outcome in zip(submissions, outcomes, strict=True)
    ]


def _store_group(submissions: Sequence[Submission], before: Callable[[], object]) -> Outcomes:

    def attempt(some: Sequence[Submission]) -> Outcomes:
        def work() -> Outcomes:
            before()
            return _insert_submissions(some)

        return in_transaction(work)

    together = _first_of_each_key(submissions)
    try:
        done = dict(zip(together, attempt([submissions[at] for at in together]), strict=True))
    except Error as error:
        if not blames_row(error) and not isinstance(error, ShardFailed):
            raise
        done = {}
    return [
        done[at] if at in done else _store_alone(attempt, one) for at, one in enumerate(submissions)
    ]


def _first_of_each_key(submissions: Sequence[Submission]) -> list[int]:
    """The positions of the submissions that do not repeat another one of the group."""
    firsts = {
        one.request.key.name if one.request else at: at
        for at, one in reversed(list(enumerate(submissions)))
    }
    return sorted(firsts.values())


def _store_alone(
    attempt: Callable[[Sequence[Submission]], Outcomes], one: Submission
) -> Sequence[NumberedRow] | Exception:
    outcome: Sequence[NumberedRow] | Exception
    for _ in range(RIVAL_ATTEMPTS if one.request else 1):
        try:
            [outcome] = attempt([one])
        except Exception as error:  # noqa: BLE001 - it concerns this submission only
            outcome = error
        # A rival has just stored the same request: the next attempt finds its record.
        if not isinstance(outcome, IntegrityError):
            break
    return outcome


def _insert_submissions(submissions: Sequence[Submission]) -> Outcomes:
    """Answer repeats, store all others. No key occurs twice here."""
    requests = keyed_requests(submissions)
    known = records.find_records(requests) if requests else {}
    outcomes: Outcomes = []
    fresh: list[Submission] = []
    for one in submissions:
        record = one.request and known.get(one.request.key.name)
        outcomes.append(one.repeated(record) if record else [])
        if not record:
            fresh.append(one)
    stored = iter(_insert_fresh(fresh))
    return [outcome or next(stored) for outcome in outcomes]


def _insert_fresh(submissions: Sequence[Submission]) -> Outcomes:
    rows = iter(number_and_insert([row for one in submissions for row in one.rows]))
    outcomes = [_together(list(islice(rows, len(one.rows)))) for one in submissions]
    first_rows = [
        one.numbered(outcome[0].number)[0]
        for one, outcome in zip(submissions, outcomes, strict=True)
        if one.request and not isinstance(outcome, Exception)
    ]
    if first_rows:
        records.claim_new(first_rows)
    return outcomes


def _together(outcomes: Sequence[RowOutcome]) -> Sequence[NumberedRow] | Exception:
    """The rows of a submission, or the error of their missing parent, which all share."""
    stored = [outcome for outcome in outcomes if isinstance(outcome, NumberedRow)]
    errors = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    return errors[0] if errors else stored


def number_and_insert(rows: Sequence[NewRow]) -> list[RowOutcome]:
    """Number and insert in the caller's transaction; for each row the result or its error."""
    outcomes = _number_rows(rows)
    bulk_insert([outcome for outcome in outcomes if isinstance(outcome, NumberedRow)])
    return outcomes


def _number_rows(rows: Sequence[NewRow]) -> list[RowOutcome]:
    """Each row with its number, or the error of a missing parent, in order."""
    waiting: defaultdict[tuple[str, Key], list[int]] = defaultdict(list)
    for position, row in enumerate(rows):
        waiting[row.record_type.parent._meta.db_table, row.parent].append(position)
    outcomes: dict[int, RowOutcome] = {}
    # Transactions that lock in the same order cannot deadlock. Applications come last, because
    # subscribers of changes lock them in transactions that have locked chats or messages.
    for table, parent in sorted(waiting, key=lambda one: (-len(one[1]), one)):
        positions = waiting[table, parent]
        record_type = rows[positions[0]].record_type
        numbers = take_numbers(record_type.parent_row(parent), len(positions))
        if numbers is None:
            # Each row gets its own exception, because it is raised in the thread of its request.
            outcomes |= {position: record_type.parent_missing() for position in positions}
            continue
        for position, number in zip(positions, numbers, strict=True):
            outcomes[position] = rows[position].numbered(number)
    return [outcomes[position] for position in range(len(rows))]
