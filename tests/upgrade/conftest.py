"""Databases of the previous release, upgraded by the current migrations."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.upgrade.databases import Database, MariaDatabase, SqliteDatabase, run

BEFORE = "tests.upgrade.release_before.settings"
TODAY = "chatsystem.settings"

NewDatabase = Callable[[str], Database]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("sqlite", marks=pytest.mark.costly),
        pytest.param("mariadb", marks=pytest.mark.stack),
    ],
)
def new_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NewDatabase]:
    """Makes empty databases."""
    if request.param == "sqlite":
        folder = tmp_path_factory.mktemp("databases")
        yield lambda name: SqliteDatabase(folder / f"{name}.sqlite3")
        return
    made: list[MariaDatabase] = []

    def create(name: str) -> MariaDatabase:
        database = MariaDatabase(name)
        database.create()
        made.append(database)
        return database

    yield create
    for database in made:
        database.drop()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For the files of processes."""
    return tmp_path_factory.mktemp("upgrade")


@pytest.fixture(scope="module")
def database_of_before(new_database: NewDatabase, folder: Path) -> Callable[[str], Database]:
    """Makes databases of the previous release, with rows in every table."""
    filled: list[Database] = []

    def make(name: str) -> Database:
        database = new_database(name)
        if filled and isinstance(database, SqliteDatabase):
            source = filled[0]
            assert isinstance(source, SqliteDatabase)
            shutil.copy(source.file, database.file)
            return database
        program = "tests.upgrade.release_before.make_database"
        run(database, folder, "-m", program, settings=BEFORE)
        if isinstance(database, SqliteDatabase):
            pristine = new_database("pristine")
            assert isinstance(pristine, SqliteDatabase)
            shutil.copy(database.file, pristine.file)
            filled.append(pristine)
        return database

    return make


@pytest.fixture(scope="module")
def migrate(folder: Path) -> Callable[..., str]:
    """Runs the current `manage.py migrate` on a database."""

    def on(database: Database, *arguments: str) -> str:
        command = ("manage.py", "migrate", "--noinput", *arguments)
        return run(database, folder, *command, settings=TODAY)

    return on
