"""Databases for one test, on SQLite or the stack's MariaDB, read without Django's models."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from secrets import token_hex
from typing import Any, Protocol
from urllib.parse import urlsplit

import MySQLdb

from tests.live.servers import ROOT, SERVICES

Rows = list[tuple[Any, ...]]


class Database(Protocol):
    """A database that processes reach by its URL."""

    url: str

    def query(self, sql: str) -> Rows:
        """The rows of a statement."""

    def table_names(self) -> list[str]:
        """The names of all tables, in order."""

    def schema(self) -> list[str]:
        """The schema, regardless of the order of columns."""


class SqliteDatabase:
    """A file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.url = f"sqlite:///{file}"

    def query(self, sql: str) -> Rows:
        with closing(sqlite3.connect(self.file)) as connection:
            return connection.execute(sql).fetchall()

    def table_names(self) -> list[str]:
        found = self.query("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        return [name for (name,) in found if not name.startswith("sqlite_")]

    def schema(self) -> list[str]:
        """The statements of sqlite_master, the parts of a table sorted.

        A column that was added by ALTER TABLE stands at the end, and in a new table where the model
        has it.
        """
        found = self.query("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
        return sorted(_sorted_parts(sql) for (sql,) in found)


def _sorted_parts(sql: str) -> str:
    """A CREATE TABLE with its columns and constraints in alphabetical order."""
    head, _, body = sql.partition("(")
    if not head.startswith("CREATE TABLE"):
        return sql
    depth, parts = 0, [""]
    for character in body.removesuffix(")"):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return head + "(" + ", ".join(sorted(part.strip() for part in parts)) + ")"


#: Of each view of information_schema: the column with the name of the database, and what counts.
_PARTS = {
    "columns": (
        "table_schema",
        "table_name, column_name, column_type, is_nullable, column_default, collation_name, extra",
    ),
    "statistics": (
        "table_schema",
        "table_name, index_name, non_unique, seq_in_index, column_name",
    ),
    "table_constraints": (
        "table_schema",
        "table_name, constraint_name, constraint_type",
    ),
    "check_constraints": (
        "constraint_schema",
        "table_name, constraint_name, check_clause",
    ),
    "referential_constraints": (
        "constraint_schema",
        "table_name, constraint_name, referenced_table_name, update_rule, delete_rule",
    ),
}


class MariaDatabase:
    """A database of the stack's server."""

    def __init__(self, name: str) -> None:
        self.name = f"test_upgrade_{name}_{os.getpid()}"
        self._server = urlsplit(os.environ["DATABASE_URL"])
        self.url = self._server._replace(path=f"/{self.name}").geturl()

    def create(self) -> None:
        """An empty one."""
        self._execute(f"DROP DATABASE IF EXISTS {self.name}")
        self._execute(f"CREATE DATABASE {self.name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")

    def drop(self) -> None:
        """Drop the database."""
        self._execute(f"DROP DATABASE {self.name}")

    def query(self, sql: str) -> Rows:
        return self._execute(sql, self.name)

    def table_names(self) -> list[str]:
        return sorted(name for (name,) in self.query("SHOW TABLES"))

    def schema(self) -> list[str]:
        """Columns, indexes and constraints of information_schema, without the database's name."""
        return sorted(
            str((view, *row))
            for view, (schema, columns) in _PARTS.items()
            for row in self.query(
                f"SELECT {columns} FROM information_schema.{view} WHERE {schema} = '{self.name}'"  # noqa: S608
            )
        )

    def _execute(self, sql: str, database: str = "") -> Rows:
        options = {
            "host": self._server.hostname,
            "port": self._server.port or 3306,
            "user": self._server.username,
            "password": self._server.password,
            "database": database,
            "charset": "utf8mb4",
        }
        with closing(MySQLdb.connect(**options)) as connection:
            cursor = connection.cursor()
            cursor.execute(sql)
            return list(cursor.fetchall())


def run(database: Database, folder: Path, *arguments: str, settings: str) -> str:
    """The output of a Python process that uses this database and nothing else."""
    rest = {name: value for name, value in os.environ.items() if name not in SERVICES}
    own = {
        "DATABASE_URL": database.url,
        "VAR_DIR": str(folder / "var"),
        "SECRET_KEY": token_hex(32),  # outside the embedded profile there must be one
    }
    ran = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**rest, **own, "DJANGO_SETTINGS_MODULE": settings},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def contents(database: Database) -> dict[str, Sequence[dict[str, Any]]]:
    """All rows of all tables as mappings, sorted; but for the list of migrations."""
    return {
        table: _rows(database, table)
        for table in database.table_names()
        if table != "django_migrations"
    }


def _rows(database: Database, table: str) -> list[dict[str, Any]]:
    names = _columns(database, table)
    found = database.query(f"SELECT {', '.join(_quoted(database, names))} FROM {table}")  # noqa: S608
    return sorted((dict(zip(names, row, strict=True)) for row in found), key=str)


def _columns(database: Database, table: str) -> list[str]:
    if isinstance(database, SqliteDatabase):
        return sorted(row[1] for row in database.query(f"PRAGMA table_info({table})"))
    return sorted(row[0] for row in database.query(f"SHOW COLUMNS FROM {table}"))


def _quoted(database: Database, names: Sequence[str]) -> list[str]:
    mark = '"' if isinstance(database, SqliteDatabase) else "`"
    return [f"{mark}{name}{mark}" for name in names]
