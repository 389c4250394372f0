"""The number authority in the admin: whether Redis or the database gives numbers. Read-only."""

from django.contrib import admin

from ingest.models import NumberAuthority
from operations.admin.lists import ReadOnlyAdmin


@admin.register(NumberAuthority)
class NumberAuthorityAdmin(ReadOnlyAdmin[NumberAuthority]):
    """The source of the numbers, since when, and why."""

    list_display = ("source", "epoch", "since", "reason", "is_drained", "needs_full_count")
