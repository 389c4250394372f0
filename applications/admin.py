"""Applications and operator keys in the admin.

Each new key is shown once: the page with it is the direct answer to the form that made it. So a key
is never in a cookie, in the stored session or in an address, and browsers do not cache the admin's
pages. A form that is sent again does nothing (operations.admin.confirmation).
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.models import CHANGE, DELETION
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import ValidationError
from django.db import DatabaseError, InterfaceError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString

from api.views import TOKEN
from applications.authentication import new_key
from applications.models import TOKEN_BYTES, Application, ApplicationNotFound, OperatorKey
from applications.services import (
    create_application,
    first_operator_key,
    rename_application,
    revoke_operator_key,
    rotate_key,
    rotate_operator_key,
)
from infra.errors import Conflict, DomainError
from operations.admin.cells import list_link, preview
from operations.admin.confirmation import (
    FIELD,
    Confirmation,
    confirmation_page,
    new_token,
    take_token,
)
from operations.admin.fields import NameField
from operations.admin.lists import KeysetAdmin
from operations.admin.log import write
from operations.admin.records import RecordAdmin

#: The attribute of a new row that holds its key until it is shown.
_SHOWN = "key_to_show"

Holder = TypeVar("Holder", bound=Model)

_REPLACE = Confirmation(
    action="replace_keys",
    title="Replace keys",
    warning="The present keys stop working at once: clients are refused until they have the new "
    "ones. Each new key is shown once, on the next page.",
)


@dataclass(frozen=True)
class NewKey:
    """A new key and its holder; or the error, if there is no key."""

    holder: Model
    key: str = ""
    error: str = ""


def replace_keys(
    admin: ModelAdmin[Any],
    request: HttpRequest,
    holders: Iterable[Holder],
    replace: Callable[[Holder], str],
) -> HttpResponse:
    """Ask for confirmation, or replace the keys and show them. Each one fails on its own."""
    page = confirmation_page(admin, request, holders, _REPLACE)
    if page is not None:
        return page
    return _page(admin, request, [_replaced(request, holder, replace) for holder in holders])


class AddsWithKey(ModelAdmin[Any]):
    """The admin of objects that get their first key when they are added."""

    add_form_template = "applications/admin/add_form.html"

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any
    ) -> HttpResponse:
        """The form for a new row, with a mark that survives a second display with errors."""
        if options.get("add"):
            mark = request.POST.get(FIELD) or new_token(request)
            context |= {"field": FIELD, "mark": mark}
        return super().render_change_form(request, context, *args, **options)

    def refuse_repeat(self, request: HttpRequest) -> None:
        """Raises AddedBefore if the form's mark was used already. Programs need no mark."""
        mark = request.POST.get(FIELD)
        if mark is not None and not take_token(request, mark):
            raise AddedBefore

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Show the page with the key instead of redirecting."""
        return _page(self, request, [NewKey(obj, vars(obj).pop(_SHOWN))])


class AddedBefore(Conflict):
    """A form was sent twice."""

    detail = "This form was sent before; nothing is added twice."


def show_key(holder: Model, key: str) -> None:
    """Keep the key of a new row until the answer to its form shows it."""
    vars(holder)[_SHOWN] = key


def _page(admin: ModelAdmin[Any], request: HttpRequest, keys: Sequence[NewKey]) -> HttpResponse:
    context = {
        **admin.admin_site.each_context(request),
        "title": "New keys",
        "opts": admin.opts,
        "media": admin.media,
        "keys": keys,
    }
    return TemplateResponse(request, "applications/admin/new_keys.html", context)


def _replaced(request: HttpRequest, holder: Holder, replace: Callable[[Holder], str]) -> NewKey:
    try:
        key = replace(holder)
        write(request.user, [holder], CHANGE, "Replaced the key.")
    except DomainError as error:
        return NewKey(holder, error=error.detail)
    except (DatabaseError, InterfaceError) as error:
        return NewKey(holder, error=f"The database failed; replace the key again: {error}")
    return NewKey(holder, key)


class ApplicationTokenField(forms.CharField):
    """The token of an existing application."""

    widget = AdminTextInputWidget

    def clean(self, value: object) -> str:
        """The token, exactly as stored; the database's collation may match more."""
        token: str = super().clean(value)
        if not re.fullmatch(TOKEN, token):
            raise ValidationError("A token is 24 digits from 0 to 9 and a to f.", code="invalid")
        if not Application.objects.filter(token=token).exists():
            raise ValidationError(ApplicationNotFound.detail, code="unknown")
        return token


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
    editable = ("name",)
    list_display = ("token", "short_name", "chats", "created_at")
    search_fields = ("token",)
    search_help_text = "Search by TOKEN or its beginning."

    @admin.display(description="name")
    def short_name(self, application: Application) -> SafeString:
        return preview(application.name)

    @admin.display(description="chats")
    def chats(self, application: Application) -> SafeString:
        return list_link("chats.chat", (application.token,), application.chats_count)

    def find(self, rows: "QuerySet[Application]", text: str) -> "QuerySet[Application] | None":
        """Search by the beginning of a token, as a range of the index, which LIKE may not use."""
        beginning = text.strip()
        if not _BEGINNING.fullmatch(beginning):
            return None
        end = beginning + _AFTER_ALL_DIGITS
        return rows.filter(token__gte=beginning, token__lt=end).order_by("-token")

    def create(self, values: Mapping[str, Any]) -> Application:
        key = new_key()
        application = create_application(name=values["name"], key=key)
        show_key(application, key)
        return application

    def edit(self, row: Application, values: Mapping[str, Any]) -> Application:
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
        return replace_keys(
            self, request, applications, lambda application: rotate_key(token=application.token)
        )


_REVOKE = Confirmation(
    action="revoke",
    title="Revoke operator keys",
    warning="These keys stop working at once and cannot be restored.",
)


class OperatorKeyForm(forms.ModelForm[OperatorKey]):
    """The name of an operator key."""

    name = NameField(label="Name", help_text="A name that tells operator keys apart.")

    class Meta:
        model = OperatorKey
        fields = ("name",)

    def clean_name(self) -> str:
        """A name without a key; replacing a key is a separate action."""
        name: str = self.cleaned_data["name"]
        if OperatorKey.objects.filter(name=name).exists():
            raise ValidationError(
                "There is a key of this name already; replace it instead.", "taken"
            )
        return name


@admin.register(OperatorKey)
class OperatorKeyAdmin(AddsWithKey, KeysetAdmin[OperatorKey]):
    """The names of operator keys; a key itself is shown once only."""

    actions = ("replace_keys", "revoke")
    form = OperatorKeyForm
    fields = ("name",)
    list_display = ("name",)

    def has_change_permission(self, request: HttpRequest, obj: OperatorKey | None = None) -> bool:
        """Names cannot be changed; keys are replaced by the action."""
        return obj is None and super().has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: OperatorKey | None = None) -> bool:
        """Deleting is not allowed: use the action, which all processes learn of."""
        return False

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("applications.delete_operatorkey")

    def save_model(self, request: HttpRequest, obj: OperatorKey, form: Any, change: bool) -> None:
        name = form.cleaned_data["name"]
        self.refuse_repeat(request)
        key = first_operator_key(name=name)
        obj.__dict__.update(OperatorKey.objects.get(name=name).__dict__)
        show_key(obj, key)

    @admin.action(description="Replace the selected keys", permissions=["change"])
    def replace_keys(self, request: HttpRequest, keys: "QuerySet[OperatorKey]") -> HttpResponse:
        return replace_keys(self, request, keys, lambda key: rotate_operator_key(name=key.name))

    @admin.action(description="Revoke the selected keys", permissions=["revoke"])
    def revoke(self, request: HttpRequest, keys: "QuerySet[OperatorKey]") -> HttpResponse | None:
        page = confirmation_page(self, request, keys, _REVOKE)
        if page is not None:
            return page
        for key in keys:
            if revoke_operator_key(name=key.name):
                write(request.user, [key], DELETION, "Revoked the key.")
                self.message_user(request, f"Revoked: {key.name}", messages.SUCCESS)
        return None
