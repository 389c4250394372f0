"""The statements that vtgate is given while the tests run, and the plans it makes for them.

Vitess describes its query log and VEXPLAIN in its manual, under "Monitoring" and "Query plans".
"""

import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
from django.db import connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

_ROOT = str(Path(__file__).parents[2])
_TESTS = str(Path(__file__).parents[1])
#: In front of the statements that a test made itself.
_OF_TEST = "/* test */ "
_CONNECT_SECONDS = 5.0


class QueryLog:
    """What the application, in all its processes, asked of more than one shard."""

    def __init__(self) -> None:
        self._examples: dict[str, str] = {}
        self._thread = Thread(target=self._read, name="query-log", daemon=True)

    def open(self) -> None:
        """Read the log from now on, and mark what tests ask themselves."""
        for one in connections.all(initialized_only=True):
            _mark(one)
        connection_created.connect(_mark)
        self._thread.start()

    def scattered(self) -> Mapping[str, Sequence[str]]:
        """The statements that go to all shards, and what each shard is asked then."""
        assert self._thread.is_alive(), "vtgate's query log ended"
        found = {
            statement: _asked_of_all_shards(example)
            for statement, example in self._examples.copy().items()
        }
        return {statement: queries for statement, queries in found.items() if queries}

    def _read(self) -> None:
        log = f"{os.environ['VTGATE_STATUS_URL']}/debug/querylog"
        limits = httpx.Timeout(None, connect=_CONNECT_SECONDS)
        with httpx.stream("GET", log, timeout=limits, trust_env=False) as answer:
            for line in answer.iter_lines():
                if '"ShardQueries":1,' not in line and '"ShardQueries":0,' not in line:
                    self._note(json.loads(line))

    def _note(self, query: Mapping[str, Any]) -> None:
        statement = query["SQL"]
        if query["StmtType"] in {"SELECT", "UPDATE", "DELETE"} and _OF_TEST not in statement:
            self._examples.setdefault(normal(statement), statement)


def normal(statement: str) -> str:
    """The statement without its values, columns and comments."""
    text = re.sub(r"/\*.*?\*/", "", statement)
    text = re.sub(r"::?\w+", "?", text).replace("`", "")
    text = re.sub(r"\bselect (distinct )?.*? from ", r"select \1… from ", text)
    return " ".join(text.split())


def _asked_of_all_shards(statement: str) -> Sequence[str]:
    """The queries of the statement's plan that go to all shards."""
    some = re.sub(r"::\w+( /\* \w+ \*/)?", "(1)", statement)
    some = re.sub(r":\w+ /\* (VARCHAR|VARBINARY|DATETIME\w*) \*/", "'1'", some)
    some = re.sub(r":\w+( /\* \w+ \*/)?", "1", some)
    with connection.cursor() as cursor:
        cursor.execute(f"{_OF_TEST}VEXPLAIN PLAN {some}".replace("%", "%%"), [])
        [[plan]] = cursor.fetchall()
    return [part["Query"] for part in _parts(json.loads(plan)) if part.get("Variant") == "Scatter"]


def _parts(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for part in plan.get("Inputs", ()):
        yield from _parts(part)


def _mark(connection: BaseDatabaseWrapper, **_: object) -> None:
    if _marked not in connection.execute_wrappers:
        connection.execute_wrappers.append(_marked)


def _marked(
    execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Mapping[str, Any]
) -> Any:
    return execute(f"{_OF_TEST}{sql}" if _is_of_test() else sql, params, many, context)


def _is_of_test() -> bool:
    """Whether the code that asks is a test's and not the application's."""
    frame = sys._getframe(2)
    while frame := frame.f_back:  # type: ignore[assignment] # the last one has none
        file = frame.f_code.co_filename
        if file.startswith(_ROOT) and "/.venv/" not in file:
            return file.startswith(_TESTS)
    return True
