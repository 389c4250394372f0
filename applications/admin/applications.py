"""Applications in the admin."""

import re
from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from applications.admin.new_keys import AddsWithKey, replace_keys, show_key
from applications.identities import new_key
from applications.models import TOKEN_BYTES, Application
from applications.services import create_application, rename_application, rotate_key
from operations.admin.cells import list_link, preview
from operations.admin.fields import NameField
from operations.admin.records import RecordAdmin

_BEGINNING = re.compile(rf"[0-9a-f]{{1,{2 * TOKEN_BYTES}}}")
_AFTER_ALL_DIGITS = "g"


class ApplicationForm(forms.ModelForm[Application]):
    """The name is the only editable field."""

    name = NameField(label="Name")

    class Meta:
        model = Application
        fields = ("name",)


@admin.register(Application)
class ApplicationAdmin(AddsWithKey, RecordAdmin[Application]):
    """Applications, with a link to their chats and a button that replaces the key."""

    actions = ("replace_keys",)
    change_form_template = "applications/admin/change_form.html"
    form = add_form = ApplicationForm
    add_fields = ("name",)
    fields = ("token", "name", "chats", "created_at", "updated_at", "version")
    editable = "name"
    list_display = ("token", "short_name", "chats", "created_at")
    search_fields = ("token",)
    search_help_text = "Search by TOKEN or its beginning."

    @admin.display(description="name")
    def short_name(self, application: Application) -> SafeString:
        """The beginning of the name."""
        return preview(application.name)

    @admin.display(description="chats")
    def chats(self, application: Application) -> SafeString:
        """The number of chats, as a link to them."""
        return list_link("chats.chat", (application.token,), application.chats_count)

    def find(self, rows: "QuerySet[Application]", text: str) -> "QuerySet[Application] | None":
        """Search by the beginning of a token, as a range of the index, which LIKE may not use."""
        beginning = text.strip()
        if not _BEGINNING.fullmatch(beginning):
            return None
        end = beginning + _AFTER_ALL_DIGITS
        return rows.filter(token__gte=beginning, token__lt=end).order_by("-token")

    def create(self, values: Mapping[str, Any]) -> Application:
        """Create it, with a key, by the service of the API."""
        key = new_key()
        application = create_application(name=values["name"], key=key)
        show_key(application, key)
        return application

    def edit(self, row: Application, values: Mapping[str, Any]) -> Application:
        """Rename it by the service of the API."""
        return rename_application(token=row.token, name=values["name"])

    def save_model(self, request: HttpRequest, obj: Application, form: Any, change: bool) -> None:
        """Save; a form that is sent twice adds once."""
        if not change:
            self.refuse_repeat(request)
        super().save_model(request, obj, form, change)

    @admin.action(
        description="Replace the keys of the selected applications", permissions=["change"]
    )
    def replace_keys(
        self, request: HttpRequest, applications: "QuerySet[Application]"
    ) -> HttpResponse:
        """Replace the key of each; the next page shows the new keys."""
        return replace_keys(
            self, request, applications, lambda application: rotate_key(token=application.token)
        )
