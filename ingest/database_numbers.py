"""Numbers from the database: consecutive, never repeated, never taken back.

A parent's `number_ceiling` is the highest number ever given to one of its children or lent to
Redis. Taking numbers raises it in the same transaction that inserts the rows, under the parent's
row lock: a transaction that fails gives its numbers back by never having happened, so there is
neither a gap nor a repeat. Only where numbers were lent to Redis may some be skipped.

A group of new rows, numbered and stored by the database alone: one transaction for all.

This is the way of the embedded profile, and of every other while Redis is away. A row that cannot
be stored takes only its own request with it: the group is then stored one by one, in the same
order, each in a transaction of its own.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import islice

from django.db import Error, IntegrityError, transaction
from django.db.models import F, QuerySet

from infra.database import in_transaction
from infra.errors import NotFound
from infra.metrics import ACCEPT_SECONDS, ACCEPTED
from infra.service_errors import blames_row
from ingest.bulk_insert import bulk_insert
from ingest.idempotency import records
from ingest.idempotency.keys import KeyReused
from ingest.idempotency.records import Record
from ingest.models import CountState, Parent
from ingest.numbering.leases import record_skip
from ingest.records import Key, NewRow, NumberedRow
from ingest.redis_numbers import keyed_requests
from ingest.submission import Submission


def take_numbers(parent: "QuerySet[Parent]", count: int) -> range | None:
    """The next `count` numbers of this one parent, or None when there is no such parent.

    To be called inside the transaction that inserts the rows; holds the parent's lock to its end,
    so transactions that take numbers of several parents must do so in one order. The parent is
    marked for the count job by the same write.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("take_numbers needs the transaction that inserts the rows")
    # The write comes first: it locks the row, where a read first would let a rival read the same.
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


RowOutcome = NumberedRow | Exception
Outcomes = list[Sequence[NumberedRow] | Exception]

#: So often a request with a key is tried while a rival does the same one.
RIVAL_ATTEMPTS = 3

_database_seconds, _accepted_in_database = (
    ACCEPT_SECONDS.labels("database"),
    ACCEPTED.labels("database"),
)


def number_and_store(
    submissions: Sequence[Submission],
    *,
    before: Callable[[], object] = lambda: None,
    missing: Callable[[Submission], Exception] = lambda one: one.kind.parent_missing(),
) -> Outcomes:
    """For each submission what was stored, or why it was not. Raises what concerns all of them.

    `before` runs first in each transaction; `missing` says what rows without a parent are told.
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
        if not blames_row(error):
            raise
        done = {}
    return [
        done[at] if at in done else _store_alone(attempt, one) for at, one in enumerate(submissions)
    ]


def _first_of_each_key(submissions: Sequence[Submission]) -> list[int]:
    """The positions of all but those that repeat another one of the group."""
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
        except Exception as error:  # noqa: BLE001 - it is this one's and no other's
            outcome = error
        # A rival has done the same request a moment ago: the next attempt finds it.
        if not isinstance(outcome, IntegrityError):
            break
    return outcome


def _insert_submissions(submissions: Sequence[Submission]) -> Outcomes:
    """Repeats are answered, all others stored; no key is there twice."""
    requests = keyed_requests(submissions)
    known = records.find_records(requests) if requests else {}
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


def _repeated(one: Submission, record: Record) -> Sequence[NumberedRow] | Exception:
    try:
        return one.repeated(record.fingerprint, record.first_number, record.accepted_at)
    except KeyReused as error:
        return error


def _together(outcomes: Sequence[RowOutcome]) -> Sequence[NumberedRow] | Exception:
    """All the rows of a submission; or that their parent is missing, which concerns all."""
    stored = [outcome for outcome in outcomes if isinstance(outcome, NumberedRow)]
    errors = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    return errors[0] if errors else stored


def number_and_insert(rows: Sequence[NewRow]) -> list[RowOutcome]:
    """For each row what was stored, or that its parent is missing; in the caller's transaction."""
    outcomes = _number_rows(rows)
    bulk_insert([outcome for outcome in outcomes if isinstance(outcome, NumberedRow)])
    return outcomes


def _number_rows(rows: Sequence[NewRow]) -> list[RowOutcome]:
    """Each row with its number, or the error that its parent is missing; in the order given."""
    waiting: defaultdict[tuple[str, Key], list[int]] = defaultdict(list)
    for position, row in enumerate(rows):
        waiting[row.kind.parent._meta.db_table, row.parent].append(position)
    outcomes: dict[int, RowOutcome] = {}
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
