"""Form fields that judge by ingest.text_rules, as the API does, and see through browsers.

A browser does not send back a text as it was shown: a line of input loses its line breaks, and all
line breaks of a text area become CR LF. Such a difference alone is no change.
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
    """A text with a rule of ingest.text_rules in place of all of Django's."""

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        """Written in the direction of its text."""
        return {**super().widget_attrs(widget), "dir": "auto"}

    @abstractmethod
    def rule(self, text: str) -> str:
        """The text as it is stored. Raises infra.errors.Invalid."""

    @abstractmethod
    def as_sent(self, text: str) -> str:
        """What is left of the text when a browser has shown it and sent it back."""

    def clean(self, value: object) -> str:
        """The text as it is stored. Raises ValidationError."""
        try:
            return self.rule(self.to_python(value) or "")
        except Invalid as invalid:
            raise ValidationError(
                [ValidationError(capfirst(error.message), error.code) for error in invalid.errors]
            ) from None

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether someone changed the text, and not only the browser."""
        before, after = self.to_python(initial) or "", self.to_python(data) or ""
        return self.as_sent(before) != self.as_sent(after)


class NameField(RuledField):
    """The name of an application or a chat.

    It has no maxlength, since browsers count UTF-16 and the rule counts characters.
    """

    widget = AdminTextInputWidget

    def rule(self, text: str) -> str:
        """See ingest.text_rules."""
        return clean_name(text)

    def as_sent(self, text: str) -> str:
        """Without line breaks."""
        return text.replace("\r", "").replace("\n", "")


class BodyField(RuledField):
    """The body of a message, spaces at both ends included.

    A body that was edited has LF for every CR LF: which of them it had before, the browser no
    longer says, and LF is what its user sees and means.
    """

    widget = AdminTextareaWidget

    def __init__(self, **options: Any) -> None:
        super().__init__(strip=False, **options)

    def rule(self, text: str) -> str:
        """See ingest.text_rules."""
        return clean_body(text.replace("\r\n", "\n"))

    def as_sent(self, text: str) -> str:
        """With one kind of line break; the form's own is CR LF, which is left out of account."""
        return text.replace("\r\n", "\n").replace("\r", "\n")
