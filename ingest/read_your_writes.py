"""Reading rows that may be pending: accepted and not stored yet.

Redis has a sorted set of the pending rows of each parent, by number. A missing row is looked up
there, and then in the table again, because it may have moved in between.

Requests on the event loop read together: those that wait at the same time share one statement and
one round trip to Redis. In a thread, each request reads alone, over the thread's own connection.
"""

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from django.db import Error, InterfaceError, OperationalError, connection

from infra.database import read_again, wait_in_thread
from infra.errors import Unavailable
from infra.event_loop import Batcher, is_in_greenlet
from infra.logs import Event, get_logger
from infra.redis_client import (
    RedisUnavailable,
    Shard,
    ask_redis,
    redis_is_configured,
    shard_of,
)
from infra.service_errors import is_of_shard
from ingest import redis_keys
from ingest.late_rows import is_purged
from ingest.message_format import Undecodable, read_member
from ingest.models import Source
from ingest.numbering.authority import read_authority
from ingest.numbering.fencing import is_verified
from ingest.numbering.leases import ceiling_of
from ingest.records import Key, NumberedRow, RecordType, record_type_of_parent
from ingest.window_statements import Part, statement

logger = get_logger(__name__)


class MaybeQueued(Unavailable):
    """The row may be accepted and wait in a queue, where it cannot be seen."""

    detail = "It may be in a queue that cannot be read just now."


#: Higher than any number.
MAX_NUMBER = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Window:
    """Numbers of rows: exclusive bounds, order, and maximum count."""

    after: int | None = None
    before: int | None = None
    limit: int = 1
    descending: bool = False

    @classmethod
    def of_one(cls, number: int) -> "Window":
        """This number alone."""
        return cls(number - 1, number + 1)

    def beyond(self, number: int) -> "Window":
        """The rest of the window, behind this number."""
        if self.descending:
            return replace(self, before=number)
        return replace(self, after=number)


# --- Stored rows ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Question:
    """What is read of the stored rows of a parent."""

    parent: Key
    window: Window
    part: Part


def stored_rows(parent: Key, window: Window) -> Sequence[Any]:
    """The stored rows of a parent in this window, as they are shown."""
    rows: Sequence[Any] = _ask(Question(parent, window, Part.ROWS))
    return rows


def stored_numbers(parent: Key, window: Window) -> list[int]:
    """The numbers of the same rows, read from the index alone."""
    numbers: list[int] = _ask(Question(parent, window, Part.NUMBERS))
    return numbers


def lowest_number_above(parent: Key, number: int) -> int | None:
    """The lowest stored number above this one; None if there is none."""
    found: int | None
    [found] = _ask(Question(parent, Window(after=number), Part.LOWEST))
    return found


def highest_number_below(parent: Key, number: int) -> int | None:
    """The highest stored number below this one; None if there is none."""
    found: int | None
    [found] = _ask(Question(parent, Window(before=number), Part.HIGHEST))
    return found


def _ask(question: Question) -> Any:
    """The rows, or numbers. Raises errors of the database, Unavailable."""
    [answer] = ask_together(question)
    return answer


def ask_together(*questions: Question) -> Sequence[Any]:
    """The answer to each: rows as they are shown, or numbers; by few statements.

    Raises errors of the database, Unavailable.
    """
    if is_in_greenlet():
        return _stored.call_all(questions, [one.window.limit for one in questions])
    return _answer(questions)


def _answer(questions: Sequence[Question]) -> Sequence[Sequence[Any]]:
    """The answers, by one statement for each table.

    A thread that waits for a server has to wait for the interpreter afterwards, for milliseconds
    while the event loop is busy. So one statement is asked, and not one for each question.
    """
    answers: list[list[Any]] = [[] for _ in questions]
    asked: defaultdict[RecordType, dict[int, Question]] = defaultdict(dict)
    for place, question in enumerate(questions):
        asked[record_type_of_parent(question.parent)][place] = question
    for kind, some in asked.items():
        for *values, place in _select(kind, some):
            is_row = some[place].part == Part.ROWS
            answers[place].append(kind.shown_row._make(values) if is_row else values[0])
    return answers


def _select(kind: RecordType, questions: Mapping[int, Question]) -> Iterator[Sequence[Any]]:
    """What these questions ask for; the last column is the place of the question."""
    selects, parameters = [], []
    for place, question in questions.items():
        window = question.window
        bounds = [bound for bound in (window.after, window.before) if bound is not None]
        selects.append(
            statement(
                kind,
                question.part,
                window.after is not None,
                window.before is not None,
                window.descending,
            )
        )
        parameters.append([place, *question.parent, *bounds, window.limit])
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":  # it takes no LIMIT within a union, and is not far away
            for select, some in zip(selects, parameters, strict=True):
                cursor.execute(select, some)
                yield from cursor.fetchall()
        else:
            united = " UNION ALL ".join(f"({select})" for select in selects)
            cursor.execute(united, [one for some in parameters for one in some])
            yield from cursor.fetchall()


def _answer_in_thread(questions: Sequence[Question]) -> Sequence[Sequence[Any] | Exception]:
    connection.close_if_unusable_or_obsolete()  # as Django does before each request
    began = time.monotonic()
    try:
        return _answer(questions)
    except (OperationalError, InterfaceError) as error:
        if is_of_shard(error):
            return _answer_by_application(questions)
        return read_again(partial(_answer, questions), error, began)


def _answer_by_application(questions: Sequence[Question]) -> Sequence[Sequence[Any] | Exception]:
    """The answers, or errors for the applications on shards that fail."""
    places: defaultdict[str | int, list[int]] = defaultdict(list)
    for place, question in enumerate(questions):
        places[question.parent[0]].append(place)
    answers: dict[int, Sequence[Any] | Exception] = {}
    for here in places.values():
        try:
            answers |= zip(here, _answer([questions[place] for place in here]), strict=True)
        except Error as error:
            answers |= dict.fromkeys(here, error)
    return [answers[place] for place in range(len(questions))]


_stored: Batcher[Question, Sequence[Any]] = Batcher("stored-rows", _answer_in_thread)


# --- Pending rows ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PendingRows:
    """Pending rows of a window, and whether the parent has no pending rows at all."""

    rows: Sequence[NumberedRow]
    nothing_pends: bool


def find_pending(key: Key) -> NumberedRow | None:
    """The row if Redis shows it as pending; `key` ends in its number. Never raises."""
    *parent, number = key
    found = pending_rows(tuple(parent), Window.of_one(int(number))).rows
    return next(iter(found), None)


def pending_rows(parent: Key, window: Window) -> PendingRows:
    """The first pending rows in this window; none without Redis."""
    if is_in_greenlet():
        return _pending.call((parent, window), weight=window.limit)
    [found] = _look([(parent, window)])
    return found


def _look(questions: Sequence[tuple[Key, Window]]) -> Sequence[PendingRows]:
    """The pending rows of these parents and windows, by one look into Redis for each shard."""
    by_shard: defaultdict[Shard, list[int]] = defaultdict(list)
    for place, (parent, _) in enumerate(questions):
        by_shard[shard_of(str(parent[0]))].append(place)
    found: dict[int, PendingRows] = {}
    for shard, places in by_shard.items():
        some = [questions[place] for place in places]
        found |= zip(places, _look_into(shard, some), strict=True)
    return [found[place] for place in range(len(questions))]


def _look_into(shard: Shard, questions: Sequence[tuple[Key, Window]]) -> Sequence[PendingRows]:

    def see(server: Any) -> Any:
        pipeline = server.pipeline(transaction=False)
        for parent, window in questions:
            name = redis_keys.pending(redis_keys.parent_name(parent))
            low = "-inf" if window.after is None else f"({window.after}"
            high = "+inf" if window.before is None else f"({window.before}"
            if window.descending:
                pipeline.zrevrangebyscore(name, high, low, start=0, num=window.limit)
            else:
                pipeline.zrangebyscore(name, low, high, start=0, num=window.limit)
            pipeline.zcard(name)
        return pipeline.execute()

    try:
        seen = ask_redis(shard, see)
    except RedisUnavailable:
        return [PendingRows([], nothing_pends=True)] * len(questions)
    return [
        PendingRows(_readable_members(parent, members), nothing_pends=count == 0)
        for (parent, _), members, count in zip(questions, seen[::2], seen[1::2], strict=True)
    ]


_pending: Batcher[tuple[Key, Window], PendingRows] = Batcher("pending-rows", _look)


def _readable_members(parent: Key, members: Sequence[bytes]) -> list[NumberedRow]:
    rows = []
    for member in members:
        try:
            rows.append(read_member(parent, member).row)
        except Undecodable as error:
            # The sweeper makes it a dead letter.
            logger.warning(Event.PENDING_UNREADABLE, parent=parent, error=error)
    return rows


# --- Rows that may be pending or stored -----------------------------------------------------


def may_be_queued(key: Key) -> bool:
    """Whether a row that was found nowhere may still be in a queue; `key` ends in its number.

    This is so if its number was given and not purged, and the pending rows may be incomplete.
    Raises OperationalError.
    """
    return (
        redis_is_configured()
        and _may_have_been_given(key)
        and not is_purged(key)
        and not pending_is_complete(shard_of(str(key[0])))
    )


def pending_is_complete(shard: Shard) -> bool:
    """Whether Redis shows all accepted rows of the shard that are not stored.

    Raises OperationalError.

    It does not while it is unavailable or gives no numbers, while rows from before a loss of data
    may still be queued, or after a restart until the server is verified.
    """
    if not redis_is_configured():
        return True
    authority = read_authority(shard)
    if authority.source == Source.DATABASE or not authority.is_drained:
        return False
    try:
        return is_verified(shard, authority.generation)
    except RedisUnavailable:
        return False


def _may_have_been_given(key: Key) -> bool:
    *parent, number = key
    if not parent:
        return False  # applications are stored before their token is known
    ceiling = ceiling_of(tuple(parent))
    if ceiling is None:
        return _may_have_been_given(tuple(parent))
    return int(number) <= ceiling


def get(kind: RecordType, key: Key) -> Any:
    """The row of this key as it is shown. Raises the type's `missing`, or MaybeQueued."""
    row = _stored_row(key) or _pending_or_stored_row(kind, key)
    if row is None:
        raise kind.missing()
    return row


def require_parent(kind: RecordType, parent: Key) -> None:
    """Check that the parent exists. Raises the type's `parent_missing`, or MaybeQueued."""
    # A parent without a number, which is an application, is never pending.
    if len(parent) == 1:
        exists = wait_in_thread(kind.parent_row(parent).exists)
    else:
        parents = record_type_of_parent(parent[:-1])
        exists = bool(_stored_row(parent) or _pending_or_stored_row(parents, parent))
    if not exists:
        raise kind.parent_missing()


def _stored_row(key: Key) -> Any:
    """The stored row of this key as it is shown; None if there is none."""
    *parent, number = key
    return next(iter(stored_rows(tuple(parent), Window.of_one(int(number)))), None)


def _pending_or_stored_row(kind: RecordType, key: Key) -> Any:
    """The row of this key, which was not in its table a moment ago. Raises MaybeQueued."""
    if not redis_is_configured():
        return None
    pending = find_pending(key)
    if pending is not None:
        return kind.show_new(pending)
    row = _stored_row(key)
    if row is None and wait_in_thread(partial(may_be_queued, key)):
        raise MaybeQueued
    return row
