"""Create a database of the previous release, with rows in every table.

Run it as a program, with DJANGO_SETTINGS_MODULE naming the settings beside it: its app labels
belong to the previous release, so it cannot share a process with the current apps.
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import django
from django.db import connection, models

from tests.upgrade.release_before.settings import LABELS

LETTER_READERS = "letter readers"
#: The scheduled tasks by the names of the release before.
TASKS = (
    "core.tasks.reconcile_counts",
    "core.tasks.forget_requests",
    "core.tasks.take_over_failed",
    "core.tasks.sweep",
    "messages_app.tasks.purge_old",
    "search.tasks.index",
    "search.tasks.check",
)
_ROWS = 3
_ACTIONS = ("add", "change", "delete", "view")


def main() -> None:
    """Migrate, then fill every table."""
    django.setup()
    from django.core.management import call_command  # noqa: PLC0415 - needs the set-up above

    call_command("migrate", verbosity=0)
    apps = _historical_apps()
    for model in _models_of_the_product(apps):
        if model._meta.db_table == "scheduled_runs":
            rows = [{"task": name} for name in TASKS]
        else:
            rows = [{} for _ in range(_ROWS)]
        for place, values in enumerate(rows, start=1):
            _insert(apps, model, place, values)
    _fill_the_admin(apps)


def _historical_apps() -> Any:
    from django.db.migrations.executor import MigrationExecutor  # noqa: PLC0415

    loader = MigrationExecutor(connection).loader
    return loader.project_state(loader.graph.leaf_nodes()).apps


def _models_of_the_product(apps: Any) -> list[Any]:
    """Referenced models before those that refer to them."""
    found = [model for model in apps.get_models() if model._meta.app_label in LABELS]
    return sorted(found, key=lambda model: any(each.is_relation for each in model._meta.fields))


def _insert(apps: Any, model: Any, place: int, values: dict[str, Any]) -> None:
    for column in model._meta.fields:
        if column.is_relation:
            first = column.related_model.objects.order_by("pk").first()
            values[column.name] = first
        elif not column.primary_key or isinstance(column, models.UUIDField):
            values.setdefault(column.name, _value(column, place))
    model.objects.create(**values)


def _value(column: Any, place: int) -> Any:
    """A value for this column that differs from row to row and from column to column."""
    seed = sum(column.name.encode()) + place
    if column.choices:
        return column.choices[seed % len(column.choices)][0]
    by_type: tuple[tuple[type[models.Field[Any, Any]], Any], ...] = (
        (models.DateTimeField, datetime(2026, 1, 31, 12, tzinfo=UTC) + timedelta(0, 0, seed)),
        (models.UUIDField, UUID(int=seed)),
        (models.JSONField, {"name": "📦 ünïcode", "place": place, "list": [1, None, "x"]}),
        (models.BinaryField, bytes([0, 255, seed % 256])),
        (models.BooleanField, bool(seed % 2)),
        (models.IntegerField, 2**53 + seed),
    )
    text = f"{column.name} {place} 📦 Straße"[: column.max_length]
    return next((value for kind, value in by_type if isinstance(column, kind)), text)


def _fill_the_admin(apps: Any) -> None:
    """What refers to models: content types, permissions, a group, a user, and the log."""
    content_type, permission, group, user, entry, session = (
        apps.get_model(*names)
        for names in (
            ("contenttypes", "ContentType"),
            ("auth", "Permission"),
            ("auth", "Group"),
            ("auth", "User"),
            ("admin", "LogEntry"),
            ("sessions", "Session"),
        )
    )
    at = datetime(2026, 1, 31, 12, tzinfo=UTC)
    for model in _models_of_the_product(apps):
        names = {"app_label": model._meta.app_label, "model": model._meta.model_name}
        kind = content_type.objects.create(**names)
        for action in _ACTIONS:
            name = model._meta.model_name
            permission.objects.create(
                content_type=kind, codename=f"{action}_{name}", name=f"Can {action} {name}"
            )
    readers = group.objects.create(name=LETTER_READERS)
    operator = user.objects.create(username="operator", password="!", date_joined=at)  # noqa: S106
    operator.groups.add(readers)
    of_letters = content_type.objects.get(app_label="core", model="deadletter")
    may_change = permission.objects.get(content_type=of_letters, codename="change_deadletter")
    readers.permissions.add(may_change)
    operator.user_permissions.add(may_change)
    entry.objects.create(
        user=operator, content_type=of_letters, object_id="1", object_repr="a letter",
        action_flag=2, change_message="Replayed.", action_time=at,
    )  # fmt: skip
    session.objects.create(session_key="k" * 32, session_data="data", expire_date=at)


if __name__ == "__main__":
    main()
