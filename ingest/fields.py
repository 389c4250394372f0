"""The fields of record types: the values that clients give, and the rules for them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from infra.errors import FieldError, Invalid
from ingest.text_rules import (
    MAX_METADATA_BYTES,
    MAX_METADATA_LEVELS,
    MAX_NAME_CHARACTERS,
    NAME_PATTERN,
    TEXT_PATTERN,
    clean_metadata,
    clean_name,
)
from ingest.text_rules import field as field_of

#: The value of a field: a text, an object as compact JSON, or None where there is none.
Value = str | None
#: The values of a record type's fields, in their order.
Values = tuple[Value, ...]


@dataclass(frozen=True)
class Field:
    """A value that clients give. `clean` returns it by the rules or raises Invalid.

    `most` is the limit that the API describes, in characters; `pattern` describes the rule in
    ECMAScript. A field that is not required may be missing or null, in requests and in payloads of
    a release that did not know it. The value of one with `is_json` is an object as compact JSON.
    """

    name: str
    clean: Callable[[object, str], str]
    most: int
    description: str
    pattern: str = TEXT_PATTERN
    is_required: bool = True
    is_json: bool = False

    def read(self, data: object) -> Value:
        """The clean value of this field in a request. Raises Invalid."""
        if self.is_required:
            return self.clean(field_of(data, self.name), self.name)
        value = data.get(self.name) if isinstance(data, dict) else None
        return None if value is None else self.clean(value, self.name)

    def accepts(self, value: object) -> bool:
        """Whether a payload may carry this value."""
        return type(value) is str or (value is None and not self.is_required)


#: The name of an application or a chat.
NAME = Field(
    name="name",
    clean=clean_name,
    most=MAX_NAME_CHARACTERS,
    description="Surrounding white space is removed; at least one character must be visible.",
    pattern=NAME_PATTERN,
)
#: The client's own data with a row.
METADATA = Field(
    name="metadata",
    clean=clean_metadata,
    most=MAX_METADATA_BYTES,
    description=f"Any JSON object, kept as it is; at most {MAX_METADATA_BYTES} bytes as compact "
    f"JSON in UTF-8, and {MAX_METADATA_LEVELS} levels. Its numbers lie between -2^63 and 2^64.",
    is_required=False,
    is_json=True,
)


def read_fields(fields: Iterable[Field], data: object) -> dict[str, Value]:
    """The clean values of these fields in a request. Raises Invalid with all errors."""
    values: dict[str, Value] = {}
    errors: list[FieldError] = []
    for each in fields:
        try:
            values[each.name] = each.read(data)
        except Invalid as invalid:
            errors += invalid.errors
            if not isinstance(data, dict):
                break
    if errors:
        raise Invalid(*errors)
    return values
