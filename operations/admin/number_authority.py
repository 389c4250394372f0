"""What the service notes about itself, for operators to read: nothing here can be changed."""

from django.contrib import admin

from ingest.models import NumberAuthority
from operations.admin.lists import ReadOnlyAdmin


@admin.register(NumberAuthority)
class NumberAuthorityAdmin(ReadOnlyAdmin[NumberAuthority]):
    """Who gives numbers now, since when and why."""

    list_display = ("source", "epoch", "since", "reason", "is_drained", "needs_full_count")
