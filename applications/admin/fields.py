"""The form field for an application's token."""

import re

from django import forms
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import ValidationError

from api.views import TOKEN
from applications.errors import ApplicationNotFound
from applications.selectors import require_application


class ApplicationTokenField(forms.CharField):
    """The token of an existing application."""

    widget = AdminTextInputWidget

    def clean(self, value: object) -> str:
        """The token, exactly as stored; the database's collation may match more."""
        token: str = super().clean(value)
        if not re.fullmatch(TOKEN, token):
            raise ValidationError("A token is 24 digits from 0 to 9 and a to f.", code="invalid")
        try:
            require_application(token=token)
        except ApplicationNotFound as error:
            raise ValidationError(error.detail, code="unknown") from None
        return token
