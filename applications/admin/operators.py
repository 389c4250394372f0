"""Operator keys in the admin: make, replace and revoke them."""

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
        """Whether the user may delete operator keys."""
        return request.user.has_perm("applications.delete_operatorkey")

    def save_model(self, request: HttpRequest, obj: OperatorKey, form: Any, change: bool) -> None:
        """Create the key by the service of the command."""
        name = form.cleaned_data["name"]
        self.refuse_repeat(request)
        key = first_operator_key(name=name)
        obj.__dict__.update(OperatorKey.objects.get(name=name).__dict__)
        show_key(obj, key)

    @admin.action(description="Replace the selected keys", permissions=["change"])
    def replace_keys(self, request: HttpRequest, keys: "QuerySet[OperatorKey]") -> HttpResponse:
        """Replace each key; the next page shows the new keys."""
        return replace_keys(self, request, keys, lambda key: rotate_operator_key(name=key.name))

    @admin.action(description="Revoke the selected keys", permissions=["revoke"])
    def revoke(self, request: HttpRequest, keys: "QuerySet[OperatorKey]") -> HttpResponse | None:
        """Revoke each key after a confirmation."""
        page = confirmation_page(self, request, keys, _REVOKE)
        if page is not None:
            return page
        for key in keys:
            if revoke_operator_key(name=key.name):
                note(request, key, DELETION, "Revoked the key.")
                self.message_user(request, f"Revoked: {key.name}", messages.SUCCESS)
        return None
