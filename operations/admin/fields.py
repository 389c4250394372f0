"""Form fields that validate by ingest.fields, like the API, and allow for browsers.

A browser does not return a text as it was shown: an input loses line breaks, and a text area turns
all line breaks into CR LF. Such a difference alone is not a change.
"""

from abc import abstractmethod
from typing import Any

import orjson
from django import forms
from django.contrib.admin.widgets import AdminTextareaWidget, AdminTextInputWidget
from django.core.exceptions import ValidationError
from django.utils.text import capfirst

from infra.errors import FieldError, Invalid
from ingest.fields import Value, clean_body, clean_metadata, clean_name


class RuledField(forms.CharField):
    """A value validated by a rule of ingest.fields and by none of Django's."""

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        return {**super().widget_attrs(widget), "dir": "auto"}

    @abstractmethod
    def rule(self, text: str) -> Value:
        """The value as it is stored. Raises infra.errors.Invalid."""

    @abstractmethod
    def as_sent(self, text: str) -> str:
        """The text as a browser returns it, for comparison."""

    def clean(self, value: object) -> Value:
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

    def rule(self, text: str) -> Value:
        return clean_name(text)

    def as_sent(self, text: str) -> str:
        return text.replace("\r", "").replace("\n", "")


class OptionalNameField(NameField):
    """A name that may be missing."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, **options)

    def rule(self, text: str) -> Value:
        return super().rule(text) if text.strip() else None


class BodyField(RuledField):
    """The body of a message, including leading and trailing spaces.

    Every CR LF of an edited body becomes LF: the browser does not tell which line break it was, and
    LF is what the user sees and means.
    """

    widget = AdminTextareaWidget

    def __init__(self, **options: Any) -> None:
        super().__init__(strip=False, **options)

    def rule(self, text: str) -> Value:
        return clean_body(text.replace("\r\n", "\n"))

    def as_sent(self, text: str) -> str:
        return text.replace("\r\n", "\n").replace("\r", "\n")


class MetadataField(RuledField):
    """An object as JSON, which may be missing; it is shown with a line for each name."""

    widget = AdminTextareaWidget

    def __init__(self, **options: Any) -> None:
        text = "A JSON object, at most 4 KiB; may be empty."
        super().__init__(required=False, help_text=text, **options)

    def prepare_value(self, value: Any) -> Any:
        """The object with a line for each name; an invalid text as it was sent."""
        try:
            return orjson.dumps(orjson.loads(value), option=orjson.OPT_INDENT_2).decode()
        except (orjson.JSONDecodeError, TypeError):
            return value

    def rule(self, text: str) -> Value:
        if not text.strip():
            return None
        try:
            return clean_metadata(orjson.loads(text))
        except orjson.JSONDecodeError as error:
            message = f"Metadata is not valid JSON: {error}."
            raise Invalid(FieldError("metadata", "invalid", message)) from None

    def as_sent(self, text: str) -> str:
        """The object in its compact form: white space between its parts is no change."""
        try:
            return orjson.dumps(orjson.loads(text)).decode()
        except orjson.JSONDecodeError:
            return text.strip()
