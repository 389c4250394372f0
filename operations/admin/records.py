"""The base of the admin of applications, chats and messages.

It writes through the services of each application, which take care of numbers, versions and count
flags. One field of a row can be edited; no row can be deleted.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from django import forms
from django.db.models import Model
from django.http import HttpRequest

from operations.admin.lists import KeysetAdmin

Row = TypeVar("Row", bound=Model)


class RecordAdmin(KeysetAdmin[Row]):
    """A subclass adds its search, its two forms and the services that they call.

    `add_fields` are in the form for a new row, `fields` on the page of an existing one, where only
    `editable` can be changed.
    """

    add_form: type[forms.ModelForm[Row]]
    add_fields: ClassVar[tuple[str, ...]]
    fields: ClassVar[tuple[str, ...]]
    editable: ClassVar[str]

    @abstractmethod
    def create(self, values: Mapping[str, Any]) -> Row:
        """Create a row from clean values, by the service of the application."""

    @abstractmethod
    def edit(self, row: Row, values: Mapping[str, Any]) -> Row:
        """Change the row by the service of the application; return the changed row."""

    def get_fields(self, request: HttpRequest, obj: Row | None = None) -> tuple[str, ...]:
        """The fields of the form to add or to change a row."""
        return self.add_fields if obj is None else self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: Row | None = None) -> tuple[str, ...]:
        """All fields but one of an existing row."""
        return () if obj is None else tuple(set(self.fields) - {self.editable})

    def get_form(
        self, request: HttpRequest, obj: Row | None = None, change: bool = False, **kwargs: Any
    ) -> type[forms.ModelForm[Row]]:
        """The form to add or to change a row."""
        if obj is None:
            kwargs["form"] = self.add_form
        return super().get_form(request, obj, change, **kwargs)

    def has_delete_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        """No: a number is never taken back."""
        return False

    def save_model(self, request: HttpRequest, obj: Row, form: Any, change: bool) -> None:
        """Save by the service, unless nothing was changed."""
        if change and not form.changed_data:
            return
        saved = self.edit(obj, form.cleaned_data) if change else self.create(form.cleaned_data)
        # Django continues with its own instance, for the log entry and the link.
        obj.__dict__.update(saved.__dict__)
