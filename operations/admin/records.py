"""The base of the admin of applications, chats and messages.

It writes through the services that the API calls, which take care of numbers, versions and count
flags. No row can be deleted.
"""

import re
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from django import forms
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from api.views import CHAT_NUMBER, MESSAGE_NUMBER, TOKEN
from ingest.commit import accept
from ingest.edits import store_if_pending, update
from ingest.records import RecordType
from operations.admin.cells import conversation_link, list_link
from operations.admin.lists import KeysetAdmin

Row = TypeVar("Row", bound=Model)

#: The last fields on the page of a row.
TIMES = ("created_at", "updated_at", "version")


class RecordAdmin(KeysetAdmin[Row]):
    """A subclass adds its search, its two forms and the services that they call.

    `add_fields` are in the form for a new row, `fields` on the page of an existing one, where only
    `editable` can be changed.
    """

    add_form: type[forms.ModelForm[Row]]
    add_fields: ClassVar[tuple[str, ...]]
    fields: ClassVar[tuple[str, ...]]
    editable: ClassVar[tuple[str, ...]]

    @abstractmethod
    def create(self, values: Mapping[str, Any]) -> Row:
        """Create a row from clean values, by the service of the application."""

    @abstractmethod
    def edit(self, row: Row, values: Mapping[str, Any]) -> Row:
        """Change the row by the service of the application; return the changed row."""

    def get_fields(self, request: HttpRequest, obj: Row | None = None) -> tuple[str, ...]:
        return self.add_fields if obj is None else self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: Row | None = None) -> tuple[str, ...]:
        return () if obj is None else tuple(set(self.fields) - {*self.editable})

    def get_form(
        self, request: HttpRequest, obj: Row | None = None, change: bool = False, **kwargs: Any
    ) -> type[forms.ModelForm[Row]]:
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
        values = form.cleaned_data
        if change:
            # Only what the user changed: browsers change line breaks of texts that stay.
            saved = self.edit(obj, {name: values[name] for name in form.changed_data})
        else:
            saved = self.create(values)
        # Django continues with its own instance, for the log entry and the link.
        obj.__dict__.update(saved.__dict__)


class NumberedAdmin(RecordAdmin[Row]):
    """Rows of a record type. A subclass adds its forms, and links to other lists."""

    record_type: ClassVar[RecordType]

    @admin.display(description="application")
    def application(self, row: Row) -> SafeString:
        token = self.record_type.key_of(row)[0]
        return list_link("applications.application", (token,), token)

    @admin.display(description="conversation")
    def conversation(self, row: Row) -> SafeString:
        """A link to the chat as a conversation, or to the message in it."""
        token, *numbers = self.record_type.key_of(row)
        chat, message = (*map(int, numbers), 0)[:2]
        return conversation_link(str(token), chat, "Read", message)

    def get_search_fields(self, request: HttpRequest) -> tuple[str, ...]:
        return self.record_type.key_fields

    def find(self, rows: "QuerySet[Row]", text: str) -> "QuerySet[Row] | None":
        """The rows whose key begins with the parts in `text`, so that an index answers.

        `TOKEN`, `TOKEN 5`, `TOKEN 5 12` or the same with slashes: each part must be complete, as in
        the API's URLs. The result is sorted by the rest of the key, newest first, so it is one
        range of the index.
        """
        columns = self.record_type.key_fields
        parts = key_parts(text, len(columns))
        if parts is None:
            return None
        rest = columns[len(parts) :] or ["pk"]
        begins = dict(zip(columns, parts, strict=False))
        return rows.filter(**begins).order_by(*(f"-{column}" for column in rest))

    def create(self, values: Mapping[str, Any]) -> Row:
        """Create it as the API does, and store it at once for its page."""
        kind = self.record_type
        parent = tuple(values[name] for name in kind.key_fields[:-1])
        given = {name: values[name] for name in kind.field_names if name in values}
        created = accept(kind.new(parent, **given))
        store_if_pending(created.key)
        row: Row = kind.rows(created.key).get()
        return row

    def edit(self, row: Row, values: Mapping[str, Any]) -> Row:
        kind = self.record_type
        edited: Row = update(kind, kind.key_of(row), **values)
        return edited


#: The parts of a key in a search: a token, then numbers.
_KEY_PATTERNS = (TOKEN, CHAT_NUMBER, MESSAGE_NUMBER)


def key_parts(text: str, most: int) -> list[str] | None:
    """The 1 to `most` parts of a key in a search; None if the text is no beginning of a key."""
    parts = text.replace("/", " ").split()
    if not 1 <= len(parts) <= most or not all(map(re.fullmatch, _KEY_PATTERNS, parts)):
        return None
    return parts
