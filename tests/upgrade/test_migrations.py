"""The current migrations upgrade a database of the previous release without loss."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.upgrade.conftest import TODAY, NewDatabase
from tests.upgrade.databases import Database, contents, run

Contents = Mapping[str, Sequence[dict[str, Any]]]
Migrate = Callable[..., str]

#: The app of today of each model that moved.
MOVED = {
    ("core", "job"): "infra",
    ("core", "deadletter"): "ingest",
    ("core", "idempotencykey"): "ingest",
    ("core", "numberauthority"): "ingest",
    ("core", "numberingprocess"): "ingest",
    ("core", "numberskip"): "ingest",
    ("core", "purgehorizon"): "ingest",
    ("chatsystem", "sample"): "operations",
    ("chatsystem", "scheduledrun"): "operations",
    ("messages_app", "import"): "conversations",
    ("messages_app", "importedapplication"): "conversations",
    ("messages_app", "importedchat"): "conversations",
    ("messages_app", "importshare"): "conversations",
    ("messages_app", "rejectedline"): "conversations",
}
RENAMED_TASKS = {
    "core.tasks.reconcile_counts": "operations.tasks.reconcile_counts",
    "core.tasks.forget_requests": "operations.tasks.forget_requests",
    "core.tasks.take_over_failed": "operations.tasks.consume_failed",
    "core.tasks.sweep": "operations.tasks.sweep",
    "messages_app.tasks.purge_old": "retention.tasks.purge_old",
}
#: The columns that rows have got since, with their values.
ADDED: dict[str, dict[str, object]] = {
    "applications": {"last_event": 0},
    "messages": {"sender": None, "metadata": None, "erased_at": None},
    "chats": {"metadata": None},
    "imports": {"application_token": "", "lines_begun": 0, "begun_digest": ""},
    "import_shares": {"lines_done": 0},
    "import_rejected_lines": {"application_token": ""},
    "numbering_processes": {"further": ""},
    "index_backlog": {"application_token": ""},
    "dead_letters": {"application_token": ""},
}
#: The applications of Django that there are since, and their tables.
NEW_APPS = {"events", "webhooks"}
NEW_TABLES = {"events", "webhooks"}
PREFLIGHT = (
    "import django; django.setup(); "
    "from chatsystem.preflight import unapplied_migrations; print(unapplied_migrations())"
)
#: Each step also makes the content types and permissions of the apps that are there by then.
STEPS = """
import django
from django.core.management import call_command

django.setup()
for step in (["infra"], ["ingest"], ["conversations"], ["operations", "0001"]):
    call_command("migrate", *step, interactive=False)
"""
PERMISSION = (
    "SELECT auth_permission.id, app_label, codename FROM auth_group_permissions "
    "JOIN auth_permission ON auth_permission.id = permission_id "
    "JOIN django_content_type ON django_content_type.id = content_type_id"
)
LOG_ENTRY = (
    "SELECT app_label, model, object_repr, change_message FROM django_admin_log "
    "JOIN django_content_type ON django_content_type.id = content_type_id"
)


@dataclass(frozen=True)
class Upgraded:
    """An upgraded database, what it held before, and what the upgrade said."""

    database: Database
    before: Contents
    permission_before: tuple[Any, ...]


@pytest.fixture(scope="module")
def upgraded(database_of_before: Callable[[str], Database], migrate: Migrate) -> Upgraded:
    database = database_of_before("upgraded")
    before = contents(database)
    [permission] = database.query(PERMISSION)
    migrate(database)
    return Upgraded(database, before, permission)


def test_the_database_of_before_has_rows_in_every_table(upgraded: Upgraded) -> None:
    assert [table for table, rows in upgraded.before.items() if not rows] == []
    assert len(upgraded.before) > 25


def test_every_row_is_kept(upgraded: Upgraded) -> None:
    assert _known_before(contents(upgraded.database)) == _as_of_today(upgraded.before)


def test_new_tables_are_empty(upgraded: Upgraded) -> None:
    after = contents(upgraded.database)

    assert {table: after[table] for table in NEW_TABLES} == {table: [] for table in NEW_TABLES}


def test_a_group_keeps_its_permission(upgraded: Upgraded) -> None:
    number, app, codename = upgraded.permission_before
    assert (app, codename) == ("core", "change_deadletter")

    assert upgraded.database.query(PERMISSION) == [(number, "ingest", "change_deadletter")]


def test_the_log_of_the_admin_refers_to_the_moved_model(upgraded: Upgraded) -> None:
    assert upgraded.database.query(LOG_ENTRY) == [("ingest", "deadletter", "a letter", "Replayed.")]


def test_scheduled_tasks_keep_when_they_ran_last(upgraded: Upgraded) -> None:
    ran = {run["task"]: run["ran_at"] for run in contents(upgraded.database)["scheduled_runs"]}

    assert ran == {
        RENAMED_TASKS.get(run["task"], run["task"]): run["ran_at"]
        for run in upgraded.before["scheduled_runs"]
    }


def test_a_second_migrate_changes_nothing(upgraded: Upgraded, migrate: Migrate) -> None:
    database = upgraded.database
    before = contents(database), database.query("SELECT * FROM django_migrations")

    assert "No migrations to apply." in migrate(database)
    assert (contents(database), database.query("SELECT * FROM django_migrations")) == before


def test_processes_may_start(upgraded: Upgraded, folder: Path) -> None:
    missing = run(upgraded.database, folder, "-c", PREFLIGHT, settings=TODAY)

    assert missing.strip() == ""


def test_the_schema_is_that_of_a_new_database(
    upgraded: Upgraded, new_database: NewDatabase, migrate: Migrate
) -> None:
    fresh = new_database("fresh")
    migrate(fresh)

    assert upgraded.database.schema() == fresh.schema()


def test_an_upgrade_that_stopped_halfway_ends_the_same(
    upgraded: Upgraded,
    database_of_before: Callable[[str], Database],
    migrate: Migrate,
    folder: Path,
) -> None:
    database = database_of_before("interrupted")
    run(database, folder, "-c", STEPS, settings=TODAY)

    migrate(database)

    assert _known_before(contents(database)) == _known_before(contents(upgraded.database))
    applied = "SELECT app, name FROM django_migrations ORDER BY app, name"
    assert database.query(applied) == upgraded.database.query(applied)


def _known_before(after: Contents) -> dict[str, list[dict[str, Any]]]:
    """The contents without what `migrate` makes for new models."""
    known = {table: list(rows) for table, rows in after.items() if table not in NEW_TABLES}
    new = {row["id"] for row in after["django_content_type"] if row["app_label"] in NEW_APPS}
    known["django_content_type"] = [
        row for row in known["django_content_type"] if row["id"] not in new
    ]
    known["auth_permission"] = [
        row for row in known["auth_permission"] if row["content_type_id"] not in new
    ]
    return known


def _as_of_today(before: Contents) -> dict[str, list[dict[str, Any]]]:
    """The contents of before, with the apps and tasks that moved by their names of today."""
    expected = {table: [dict(row) for row in rows] for table, rows in before.items()}
    for row in expected["django_content_type"]:
        row["app_label"] = MOVED.get((row["app_label"], row["model"]), row["app_label"])
    for row in expected["scheduled_runs"]:
        row["task"] = RENAMED_TASKS.get(row["task"], row["task"])
    for table, columns in ADDED.items():
        for row in expected[table]:
            row.update(columns)
    for row in expected["number_authority"]:
        row["examined"] = row["examination"]  # all that was examined before is decided
    return {table: sorted(rows, key=str) for table, rows in expected.items()}
