"""The kit of the admin pages of all applications: lists, searches, forms, logins.

A list costs the same at any size and any page, a search goes by key, and every change goes through
the services that the API calls. Each application registers its own models; this package registers
those that belong to none: dead letters, the log, the number authority.
"""

from django.contrib import admin

from ingest.models import NumberAuthority
from operations.admin import dead_letters as dead_letters
from operations.admin import log as log
from operations.admin.lists import ReadOnlyAdmin


@admin.register(NumberAuthority)
class NumberAuthorityAdmin(ReadOnlyAdmin[NumberAuthority]):
    """The source of the numbers, since when, and why."""

    list_display = ("source", "epoch", "since", "reason", "is_drained", "needs_full_count")
