"""The form field by which others ask for an application."""

import re

from django import forms
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import ValidationError

from api.views import TOKEN
from applications.errors import ApplicationNotFound
from applications.selectors import require_application


class ApplicationTokenField(forms.CharField):
    """The token of an application that exists."""

    widget = AdminTextInputWidget

    def clean(self, value: object) -> str:
        """The token, exactly as stored: the database may think more of them alike."""
        token: str = super().clean(value)
        if not re.fullmatch(TOKEN, token):
            raise ValidationError("A token is 24 digits from 0 to 9 and a to f.", code="invalid")
        try:
            require_application(token=token)
        except ApplicationNotFound as error:
            raise ValidationError(error.detail, code="unknown") from None
        return token
