"""Form fields that validate by ingest.text_rules, like the API, and allow for browsers.

A browser does not return a text as it was shown: an input loses line breaks, and a text area turns
all line breaks into CR LF. Such a difference alone is not a change.
"""

from abc import abstractmethod
from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminTextareaWidget, AdminTextInputWidget
from django.core.exceptions import ValidationError
from django.utils.text import capfirst

from infra.errors import Invalid
from ingest.text_rules import clean_body, clean_name


class RuledField(forms.CharField):
    """A text validated by a rule of ingest.text_rules and by none of Django's."""

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        return {**super().widget_attrs(widget), "dir": "auto"}

    @abstractmethod
    def rule(self, text: str) -> str:
        """The text as it is stored. Raises infra.errors.Invalid."""

    @abstractmethod
    def as_sent(self, text: str) -> str:
        """The text as a browser returns it, for comparison."""

    def clean(self, value: object) -> str:
        try:
            return self.rule(self.to_python(value) or "")
        except Invalid as invalid:
            raise ValidationError(
                [ValidationError(capfirst(error.message), error.code) for error in invalid.errors]
            ) from None

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether the user changed the text, and not only the browser."""
        before, after = self.to_python(initial) or "", self.to_python(data) or ""
        return self.as_sent(before) != self.as_sent(after)


class NameField(RuledField):
    """The name of an application or a chat.

    It has no maxlength: browsers count UTF-16 units, the rule counts characters.
    """

    widget = AdminTextInputWidget

    def rule(self, text: str) -> str:
        return clean_name(text)

    def as_sent(self, text: str) -> str:
        return text.replace("\r", "").replace("\n", "")


class BodyField(RuledField):
    """The body of a message, including leading and trailing spaces.

    Every CR LF of an edited body becomes LF: the browser does not tell which line break it was, and
    LF is what the user sees and means.
    """

    widget = AdminTextareaWidget

    def __init__(self, **options: Any) -> None:
        super().__init__(strip=False, **options)

    def rule(self, text: str) -> str:
        return clean_body(text.replace("\r\n", "\n"))

    def as_sent(self, text: str) -> str:
        return text.replace("\r\n", "\n").replace("\r", "\n")
