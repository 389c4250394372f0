"""The database as an outsider sees it: what is stored, whatever the application says."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import dj_database_url
import MySQLdb

Rows = Sequence[Sequence[Any]]


class Statements(ABC):
    """Each statement is a transaction of its own, so each read sees the newest."""

    @abstractmethod
    def execute(self, statement: str, *parameters: object) -> Rows:
        """What it answers, if anything."""

    def number(self, statement: str, *parameters: object) -> int:
        """The one number that it answers."""
        return int(self.execute(statement, *parameters)[0][0])


class Database(Statements):
    """One connection to MariaDB."""

    def __init__(self, url: str) -> None:
        place = dj_database_url.parse(url)
        self._connection = MySQLdb.connect(
            host=place["HOST"],
            port=int(place["PORT"]),
            user=place["USER"],
            password=place["PASSWORD"],
            database=place["NAME"],
            charset="utf8mb4",
            autocommit=True,
        )

    def execute(self, statement: str, *parameters: object) -> Rows:
        """What it answers, if anything."""
        with self._connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            rows: Rows = cursor.fetchall()
            return rows
