"""The one way in for new rows: this process's group commit.

Each group is numbered by Redis, with its rows pending there, and then delivered: to the queue, or
into the database where the queue is away. While Redis is away the database does both in one
transaction. Whatever happens, a row that has its number is delivered by somebody.
"""

from collections.abc import Sequence

from core.accept.group import Bounds, GroupCommit, OutcomeOpen, TurnedAway
from core.accept.pipeline import Pipeline
from core.accept.submission import Repeatable, Submission
from core.errors import Unavailable
from core.rows import NewRow, NumberedRow

#: Of 64 clients nearly all of a process's are in one group; few clients never wait.
_BOUNDS = Bounds(crowd=6, linger_seconds=0.001)

_group_commit: GroupCommit[Submission, Sequence[NumberedRow]] = GroupCommit(
    Pipeline().commit, _BOUNDS
)


def accept(row: NewRow, request: Repeatable | None = None) -> NumberedRow:
    """The row with its number, accepted; that of the first request where this one is a repeat.

    Raises what its parent's absence raises, KeyReused, Unavailable.
    """
    [accepted] = accept_all([row], request)
    return accepted


def accept_all(rows: Sequence[NewRow], request: Repeatable | None = None) -> Sequence[NumberedRow]:
    """Rows of one parent with consecutive numbers, all accepted or none. Raises as above."""
    submission = Submission(rows, request)
    try:
        return _group_commit.submit(submission, submission.size, weight=len(rows))
    except TurnedAway as error:
        raise Unavailable(f"The service is too busy: {error}.") from error
    except OutcomeOpen as error:
        raise Unavailable(f"The outcome is open: {error}.") from error
