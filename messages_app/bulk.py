"""Many messages in one request: the values, cleaned, or every error."""

from collections.abc import Iterator

from infra.errors import FieldError, Invalid
from ingest.text_rules import field
from messages_app.records import MESSAGES

MAX_MESSAGES = 500


MAX_BULK_BYTES = 4 * 1024 * 1024


_LIST = "messages"


def clean_messages(data: object) -> list[dict[str, str]]:
    """The values of `{"messages": [{"body": ...}, ...]}`. Raises Invalid with all that is wrong."""
    messages = field(data, _LIST)
    if not isinstance(messages, list):
        raise Invalid(FieldError(_LIST, "type", f"{_LIST} must be a list."))
    if not 1 <= len(messages) <= MAX_MESSAGES:
        message = f"{_LIST} must have 1 to {MAX_MESSAGES} items."
        raise Invalid(FieldError(_LIST, "length", message))
    errors: list[FieldError] = []
    cleaned: list[dict[str, str]] = []
    for place, one in enumerate(messages):
        try:
            cleaned.append(MESSAGES.clean(one))
        except Invalid as invalid:
            errors += _errors_at(place, invalid)
    if errors:
        raise Invalid(*errors)
    return cleaned


def _errors_at(place: int, invalid: Invalid) -> Iterator[FieldError]:
    """The same errors, with the place in the list in the name of each field."""
    for error in invalid.errors:
        name = f"{_LIST}[{place}]" + (f".{error.field}" if error.field else "")
        yield FieldError(name, error.code, error.message)
