"""Operators' keys in the admin: who has one; made, replaced and revoked here."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from applications.admin.new_keys import AddsWithKey, replace_keys, show_key
from applications.models import OperatorKey
from applications.services import first_operator_key, revoke_operator_key, rotate_operator_key
from operations.admin.confirmation import Confirmation, confirmation_page
from operations.admin.fields import NameField
from operations.admin.lists import KeysetAdmin
from operations.admin.log import DELETION, note

_REVOKE = Confirmation(
    action="revoke",
    title="Revoke operators' keys",
    warning="These keys stop at once, for good.",
)


class OperatorKeyForm(forms.ModelForm[OperatorKey]):
    """Whose key it is."""

    name = NameField(label="Name", help_text="Whose key it is, to tell them apart.")

    class Meta:
        model = OperatorKey
        fields = ("name",)

    def clean_name(self) -> str:
        """A name that has no key yet: replacing one is an action of its own."""
        name: str = self.cleaned_data["name"]
        if OperatorKey.objects.filter(name=name).exists():
            raise ValidationError("There is a key of this name, which can be replaced.", "taken")
        return name


@admin.register(OperatorKey)
class OperatorKeyAdmin(AddsWithKey, KeysetAdmin[OperatorKey]):
    """The names alone: of a key nobody sees more than once."""

    actions = ("replace_keys", "revoke")
    form = OperatorKeyForm
    fields = ("name",)
    list_display = ("name",)

    def has_change_permission(self, request: HttpRequest, obj: OperatorKey | None = None) -> bool:
        """A key is replaced by the action; its name stays what it is."""
        return obj is None and super().has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: OperatorKey | None = None) -> bool:
        """Revoking is the action below, which tells all processes."""
        return False

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Who may delete operators' keys."""
        return request.user.has_perm("applications.delete_operatorkey")

    def save_model(self, request: HttpRequest, obj: OperatorKey, form: Any, change: bool) -> None:
        """By the service that the command uses."""
        name = form.cleaned_data["name"]
        self.refuse_repeat(request)
        key = first_operator_key(name=name)
        obj.__dict__.update(OperatorKey.objects.get(name=name).__dict__)
        show_key(obj, key)

    @admin.action(description="Replace their keys", permissions=["change"])
    def replace_keys(self, request: HttpRequest, keys: "QuerySet[OperatorKey]") -> HttpResponse:
        """A new key for each, shown on the page that answers."""
        return replace_keys(self, request, keys, lambda key: rotate_operator_key(name=key.name))

    @admin.action(description="Revoke: they open nothing any more", permissions=["revoke"])
    def revoke(self, request: HttpRequest, keys: "QuerySet[OperatorKey]") -> HttpResponse | None:
        """Each, once it was said that it is meant."""
        page = confirmation_page(self, request, keys, _REVOKE)
        if page is not None:
            return page
        for key in keys:
            if revoke_operator_key(name=key.name):
                note(request, key, DELETION, "Revoked the key.")
                self.message_user(request, f"Revoked: {key.name}", messages.SUCCESS)
        return None
