"""A migrated database for separate processes: made once, copied for each test."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from conversations import import_lines, import_run
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


@pytest.fixture
def place(migrated: Path, tmp_path: Path) -> Place:
    """An own copy of it."""
    database = tmp_path / "chats.sqlite3"
    shutil.copy(migrated, database)
    environment = embedded_environment(tmp_path, DATABASE_URL=f"sqlite:///{database}")
    return Place(tmp_path, database, environment)
