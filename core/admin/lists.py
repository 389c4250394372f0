"""The base of all lists in the admin: read by key and page by page, changed through services.

A list costs the same at any size and any depth. An action is done to rows that were selected one
by one, never to "all", and to no more than a page has.
"""

import re
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from django.contrib import admin, messages
from django.contrib.admin import ShowFacets
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import ChangeList
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from core.admin.change_list import KeysetChangeList
from core.errors import DomainError

Row = TypeVar("Row", bound=Model)

_PK = re.compile(r"[1-9][0-9]{0,17}")


class KeysetAdmin(admin.ModelAdmin[Row]):
    """What a table adds: its columns, its search and its actions.

    `search_fields` make Django show the search box; `find` searches. A list leaves what is in
    `not_listed` in the database.
    """

    not_listed: ClassVar[tuple[str, ...]] = ()

    actions: Any = None
    change_list_template = "core/admin/change_list.html"
    list_per_page = 50
    show_facets = ShowFacets.NEVER
    show_full_result_count = False
    sortable_by = ()

    class Media:
        css = {"all": ("core/admin/records.css",)}

    def find(self, rows: "QuerySet[Row]", text: str) -> "QuerySet[Row] | None":
        """What a search finds, in the order of an index; None for a text that is no search."""
        return None

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """The one that neither counts nor sorts."""
        return KeysetChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple["QuerySet[Row]", bool]:
        """What `find` finds; nothing, and how to search, for a text that is no search."""
        rows: QuerySet[Row] = queryset.defer(*self.not_listed)
        if not search_term.strip():
            return rows, False
        found = self.find(rows, search_term)
        if found is None:
            message = f"That cannot be searched for. {self.search_help_text}"
            self.message_user(request, message, messages.WARNING)
            return rows.none(), False
        return found, False

    def response_action(  # type: ignore[override] # the stubs are those of a later Django
        self, request: HttpRequest, queryset: QuerySet[Any]
    ) -> HttpResponse | None:
        """Do the action to the rows that were selected, oldest first, whole."""
        selected = request.POST.getlist(ACTION_CHECKBOX_NAME)
        if len(selected) > self.list_per_page:
            message = f"At most {self.list_per_page} at once, please. Nothing was done."
            self.message_user(request, message, messages.ERROR)
            return None
        keys = [key for key in selected if _PK.fullmatch(key)]
        rows = self.model._default_manager.filter(pk__in=keys).order_by("pk")
        return super().response_action(request, rows)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The form, outside of the transaction that Django would open around it.

        A service has one of its own and repeats it after a deadlock, which it could not do inside
        of another. So the log is written right after the change, not together with it.
        """
        # What Django calls within its transaction; the stubs leave it out.
        view: Callable[..., HttpResponse] = self._changeform_view  # type: ignore[attr-defined]
        try:
            return view(request, object_id, form_url, extra_context)
        except DomainError as error:
            self.message_user(request, error.detail, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())


class ReadOnlyAdmin(KeysetAdmin[Row]):
    """A table to look at: nobody adds, changes or deletes, but by its actions."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody."""
        return False
