"""What the service notes about itself, for operators to read: nothing here can be changed."""

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from core.models import DeadLetter, NumberAuthority


class ReadOnlyAdmin(admin.ModelAdmin[Any]):
    """A table to look at."""

    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody."""
        return False


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnlyAdmin):
    """Rows that were accepted and could not be stored, the latest first."""

    list_display = ("set_aside_at", "kind", "key", "reason")
    ordering = ("-id",)


@admin.register(NumberAuthority)
class NumberAuthorityAdmin(ReadOnlyAdmin):
    """Who gives numbers now, since when and why."""

    list_display = ("source", "epoch", "since", "reason", "is_drained", "needs_full_count")
