"""The base of the admin of applications, chats and messages.

It reads by key and page by page, and writes through the services of each app, so that numbers,
versions and count flags follow. One field of a row can be edited, none can be deleted.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import ShowFacets
from django.contrib.admin.views.main import ChangeList
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from core.admin.change_list import KeysetChangeList
from core.errors import DomainError

Row = TypeVar("Row", bound=Model)


class RecordAdmin(admin.ModelAdmin[Row]):
    """What an app adds: its search, its two forms, and which services they end in.

    `add_fields` are asked for in a new row, `fields` are shown of one that exists; of those only
    `editable` can be changed. `search_fields` make Django show the search box; `find` searches.
    """

    add_form: type[forms.ModelForm[Row]]
    add_fields: ClassVar[tuple[str, ...]]
    fields: ClassVar[tuple[str, ...]]
    editable: ClassVar[str]

    actions = None
    change_list_template = "core/admin/change_list.html"
    list_per_page = 50
    show_facets = ShowFacets.NEVER
    show_full_result_count = False
    sortable_by = ()

    class Media:
        css = {"all": ("core/admin/records.css",)}

    @abstractmethod
    def find(self, rows: "QuerySet[Row]", text: str) -> "QuerySet[Row] | None":
        """What a search finds, in the order of an index; None for a text that is no search."""

    @abstractmethod
    def create(self, values: Mapping[str, Any]) -> Row:
        """A new row of clean values, by the app's service."""

    @abstractmethod
    def edit(self, row: Row, values: Mapping[str, Any]) -> Row:
        """The row after the app's service has changed it."""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """The one that neither counts nor sorts."""
        return KeysetChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple["QuerySet[Row]", bool]:
        """What `find` finds; nothing, and how to search, for a text that is no search."""
        if not search_term.strip():
            return queryset, False
        found = self.find(queryset, search_term)
        if found is None:
            message = f"That cannot be searched for. {self.search_help_text}"
            self.message_user(request, message, messages.WARNING)
            return queryset.none(), False
        return found, False

    def get_fields(self, request: HttpRequest, obj: Row | None = None) -> tuple[str, ...]:
        """Those to ask for, or those to show."""
        return self.add_fields if obj is None else self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: Row | None = None) -> tuple[str, ...]:
        """Of an existing row all but one."""
        return () if obj is None else tuple(set(self.fields) - {self.editable})

    def get_form(
        self, request: HttpRequest, obj: Row | None = None, change: bool = False, **kwargs: Any
    ) -> type[forms.ModelForm[Row]]:
        """One to add with, another to change with."""
        if obj is None:
            kwargs["form"] = self.add_form
        return super().get_form(request, obj, change, **kwargs)

    def has_delete_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        """Nobody's: numbers are never taken back."""
        return False

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

    def save_model(self, request: HttpRequest, obj: Row, form: Any, change: bool) -> None:
        """Let the service do it, unless nothing was changed."""
        if change and not form.changed_data:
            return
        saved = self.edit(obj, form.cleaned_data) if change else self.create(form.cleaned_data)
        # Django goes on with its own instance: logs it, links to it.
        obj.__dict__.update(saved.__dict__)
