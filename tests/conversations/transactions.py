"""The transactions of an import, one by one: stopped, accompanied by a rival, or watched."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from infra.database import in_transaction

LOST = "Lost connection during the commit"

_TOKEN = re.compile(r"(?<![0-9a-f])[0-9a-f]{24}(?![0-9a-f])")
_TABLE = re.compile(r'(?:FROM|INTO|UPDATE|JOIN) "(\w+)"')


@dataclass(frozen=True)
class Statement:
    """A statement of SQL with its values."""

    sql: str

    @property
    def tables(self) -> set[str]:
        """The tables that it reads and writes."""
        return set(_TABLE.findall(self.sql))

    @property
    def tokens(self) -> set[str]:
        """The tokens of applications in it; the empty one stands for no application."""
        none = {""} if re.search(r'"application_token" = \'\'', self.sql) else set()
        return none | set(_TOKEN.findall(self.sql))

    @property
    def condition(self) -> str:
        """Its WHERE, empty for an INSERT."""
        return self.sql.partition(" WHERE ")[2]


@dataclass
class Transactions:
    """All transactions of imports in this process. `before` runs before each, with its number.

    The transaction with the number `lost` is committed, but its commit seems to fail. That is also
    what a process that is killed then leaves behind, and so does the next one that is not begun.
    """

    before: Callable[[int], object] = lambda _: None
    lost: int = 0
    count: int = 0
    statements: list[list[Statement]] = field(default_factory=list)

    def run(self, work: Callable[[], Any]) -> Any:
        """Stands for `in_transaction`."""
        self.count += 1
        number = self.count
        self.before(number)
        with CaptureQueriesContext(connection) as queries:
            result = in_transaction(work)
        self.statements.append([Statement(query["sql"]) for query in queries])
        if number == self.lost:
            raise OperationalError(2013, LOST)
        return result
