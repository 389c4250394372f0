"""Reading stored rows: windows of a parent's rows, or of their numbers alone.

Requests on the event loop read together: those that wait at the same time share one statement. In a
thread, each request reads alone, over the thread's own connection.
"""

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache, partial
from typing import Any

from django.db import Error, InterfaceError, OperationalError, connection
from django.db.models import Model

from infra.database import read_again
from infra.event_loop import Batcher, is_in_greenlet
from infra.service_errors import is_of_shard
from ingest.records import Key, RecordType, record_type_of_parent

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


class Part(StrEnum):
    """What is read of stored rows."""

    ROWS = "rows as they are shown"
    NUMBERS = "numbers"
    LOWEST = "lowest number"
    HIGHEST = "highest number"


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
            _statement(
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


#: Makes the text of a time, in the format of `ingest.records.timestamp`.
_TIME = {
    "mysql": "DATE_FORMAT({column}, '%%Y-%%m-%%dT%%H:%%i:%%s.%%fZ')",
    "sqlite": "REPLACE(SUBSTR({column} || '.000000', 1, 26), ' ', 'T') || 'Z'",
}
_TIMES = ("created_at", "updated_at", "erased_at")


@cache
def _statement(kind: RecordType, part: Part, after: bool, before: bool, descending: bool) -> str:
    """Raw SQL: Django takes longer to build such a statement than a database to answer it.

    All names are our own, so nothing can be injected.
    """
    quote = connection.ops.quote_name
    *shared, number = map(quote, kind.key_fields)
    first = {Part.LOWEST: f"MIN({number})", Part.HIGHEST: f"MAX({number})"}.get(part, number)

    def other_column(name: str) -> str:
        if part != Part.ROWS:
            return _filling(kind.model, name, first)
        return (
            _TIME[connection.vendor].format(column=quote(name)) if name in _TIMES else quote(name)
        )

    columns = ", ".join([first, *map(other_column, kind.shown_names[1:]), "%s"])
    conditions = [f"{column} = %s" for column in shared]
    conditions += [f"{number} > %s"] * after + [f"{number} < %s"] * before
    order = f" ORDER BY {number}{' DESC' * descending}" * (first == number)
    table, wanted = quote(kind.model._meta.db_table), " AND ".join(conditions)
    return f"SELECT {columns} FROM {table} WHERE {wanted}{order} LIMIT %s"  # noqa: S608


def _filling(model: type[Model], name: str, number: str) -> str:
    """What stands for a column where only a number is asked for.

    It has the type of the column: in a union with NULL, MariaDB would make decimals of integers,
    and Vitess, which unites what shards have united, bytes of text.
    """
    kind = model._meta.get_field(name).get_internal_type()
    if kind.startswith("Positive"):
        return number
    return "0" if kind.endswith("AutoField") else "CAST(NULL AS CHAR)"


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
