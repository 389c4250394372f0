"""The base of the admin of applications, chats and messages.

It writes through the services of each app, so that numbers, versions and count flags follow. One
field of a row can be edited, none can be deleted.
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
    """What an app adds: its search, its two forms, and which services they end in.

    `add_fields` are asked for in a new row, `fields` are shown of one that exists; of those only
    `editable` can be changed.
    """

    add_form: type[forms.ModelForm[Row]]
    add_fields: ClassVar[tuple[str, ...]]
    fields: ClassVar[tuple[str, ...]]
    editable: ClassVar[str]

    @abstractmethod
    def create(self, values: Mapping[str, Any]) -> Row:
        """A new row of clean values, by the app's service."""

    @abstractmethod
    def edit(self, row: Row, values: Mapping[str, Any]) -> Row:
        """The row after the app's service has changed it."""

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

    def save_model(self, request: HttpRequest, obj: Row, form: Any, change: bool) -> None:
        """Let the service do it, unless nothing was changed."""
        if change and not form.changed_data:
            return
        saved = self.edit(obj, form.cleaned_data) if change else self.create(form.cleaned_data)
        # Django goes on with its own instance: logs it, links to it.
        obj.__dict__.update(saved.__dict__)
