"""The API by the admin's session: the same permissions and log entries as in the admin.

Keys of applications and operators belong to no user of the admin, so their changes are not in the
admin's log.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.auth import get_permission_codename
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model, QuerySet

from applications.models import Application
from infra.natural_keys import with_keys
from ingest.read_your_writes import store_if_pending
from ingest.records import NumberedRow
from operations.admin.log import write

if TYPE_CHECKING:  # DRF's views load this module
    from rest_framework.views import APIView

#: The permission to change includes the permission to view, as in Django's ModelAdmin.
_ENOUGH = {"view": ("view", "change")}


def may(user: User, view: "APIView", method: str) -> bool:
    """Whether the user has the permissions that the admin requires for the same action."""
    action = view.actions.get(method)  # type: ignore[attr-defined] # api.views.ApiView
    if action is None:
        return True  # OPTIONS, and methods that get 405
    models: Sequence[type[Model]] = view.models  # type: ignore[attr-defined] # likewise
    return bool(models) and all(_may(user, action, model) for model in models)


def _may(user: User, action: str, model: type[Model]) -> bool:
    options = model._meta
    return any(
        user.has_perm(f"{options.app_label}.{get_permission_codename(one, options)}")
        for one in _ENOUGH.get(action, (action,))
    )


def note_added(user: User, rows: Sequence[NumberedRow]) -> None:
    """Log that the user has added these rows of one kind.

    Pending rows are stored first, because the log refers to rows by primary key. Raises
    OperationalError.
    """
    for row in rows:
        store_if_pending(row.key)
    kind = rows[0].record_type
    added = kind.model._default_manager.filter(
        with_keys(kind.key_fields, [row.key for row in rows])
    )
    _write_added(user, added.order_by("pk"))


def note_new_application(user: User, token: str) -> None:
    """Log that the user has added an application."""
    _write_added(user, Application.objects.filter(token=token))


def note_new_key(user: User, token: str) -> None:
    """Log that the user has replaced the key of an application."""
    write(user, Application.objects.filter(token=token), CHANGE, "Replaced the key.")


def note_edited(user: User, row: Model, field: str) -> None:
    """Log that the user has edited this field of the row."""
    write(user, [row], CHANGE, [{"changed": {"fields": [field]}}])


def _write_added(user: User, rows: "QuerySet[Any]") -> None:
    """Log rows that are not logged yet: a repeat may follow a request that failed here."""
    kind = ContentType.objects.get_for_model(rows.model)
    entries = LogEntry.objects.filter(content_type=kind, action_flag=ADDITION)
    added = list(rows)
    logged = entries.filter(object_id__in=[str(row.pk) for row in added])
    known = set(logged.values_list("object_id", flat=True))
    write(user, [row for row in added if str(row.pk) not in known], ADDITION, [{"added": {}}])
