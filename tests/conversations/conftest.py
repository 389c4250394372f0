"""Imports in this process, and a migrated database for separate ones, copied for each test."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from conversations import import_lines, import_run
from tests.conversations.inputs import Input, export, named
from tests.conversations.runs import Run
from tests.conversations.transactions import Transactions
from tests.live.servers import embedded_environment


@dataclass(frozen=True)
class Place:
    """A folder with a database in it, and the environment of processes that use it."""

    folder: Path
    database: Path
    environment: dict[str, str]


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of 100 lines in this process, so that a few hundred lines make several."""
    monkeypatch.setattr(import_lines, "MAX_LINES", 100)


@pytest.fixture
def transactions(monkeypatch: pytest.MonkeyPatch) -> Transactions:
    """The transactions of all imports in this process."""
    watched = Transactions()
    monkeypatch.setattr(import_run, "in_transaction", watched.run)
    return watched


@pytest.fixture(params=["named", "export"])
def inputs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Input]:
    """Equal inputs, each with applications of its own, which make two batches."""

    def make() -> Iterator[Input]:
        for number in range(1000):
            lines = named(f"input {number:03}") if request.param == "named" else export()
            file = tmp_path / f"input {number:03}"
            file.write_bytes(b"".join(lines))
            yield Input(file, file.name, request.param == "export")

    return make()


@pytest.fixture
def whole(inputs: Iterator[Input], transactions: Transactions) -> tuple[Input, Run, int]:
    """An input that is imported without interruption, its run, and its number of transactions."""
    one = next(inputs)
    run = one.run()
    assert run.error is None
    assert run.result["rejected"] > 5
    return one, run, transactions.count


@pytest.fixture
def place(migrated: Path, tmp_path: Path) -> Place:
    """An own copy of it."""
    database = tmp_path / "chats.sqlite3"
    shutil.copy(migrated, database)
    environment = embedded_environment(tmp_path, DATABASE_URL=f"sqlite:///{database}")
    return Place(tmp_path, database, environment)
