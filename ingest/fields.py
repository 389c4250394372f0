"""The fields of record types: the values that clients give, and the rules for them.

The API, the admin and the import use the same functions, so no way in is laxer than another. Sizes
are in the units of the storage: characters for names, bytes of UTF-8 for bodies and metadata.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import orjson

from infra.errors import FieldError, Invalid

MAX_NAME_CHARACTERS = 255
MAX_BODY_BYTES = 16 * 1024
MAX_METADATA_BYTES = 4 * 1024
#: Objects and lists within each other; the metadata itself is the first.
MAX_METADATA_LEVELS = 8

#: Numbers beyond these lose digits. JSON parsers read integers beyond 64 bits as such floats.
_LOWEST_FLOAT, _HIGHEST_FLOAT = -(2.0**63), 2.0**64

_MISSING = object()
_SURROGATE = re.compile("[\ud800-\udfff]")

#: Default_Ignorable_Code_Point of Unicode 16, which Python does not offer
#: (https://www.unicode.org/Public/16.0.0/ucd/DerivedCoreProperties.txt): soft hyphen, joiners,
#: directions, fillers, variation selectors, tags.
_IGNORABLE = (
    "\u00ad\u034f\u061c\u115f-\u1160\u17b4-\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"
)
#: Other characters that show nothing: control characters, the Braille blank, annotation marks, and
#: the null notehead.
_BLANK = "\x00-\x1f\x7f-\x9f\u2800\ufff9-\ufffb\U0001d159"
_SHOWS_NOTHING = re.compile(rf"[\s{_IGNORABLE}{_BLANK}]*")


#: What `clean_body` takes, as an ECMAScript pattern: not blank, by Python's idea of space, and
#: without a NUL.
TEXT_PATTERN = r"^[^\u0000]*[^\s\u0000\u001c-\u001f\u0085][^\u0000]*$"
#: What `clean_name` takes: at least one visible character; patterns reach no further than U+FFFF.
NAME_PATTERN = (
    r"^[^\u0000]*[^\s\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    r"\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb]"
    r"[^\u0000]*$"
)
#: What `clean_text` takes.
ANY_TEXT_PATTERN = r"^[^\u0000]*$"


def clean_name(value: object, field: str = "name") -> str:
    """The name without surrounding white space, 1 to 255 characters. Raises Invalid.

    A name that shows nothing counts as blank: people could not tell it from another one.
    """
    text = clean_text(value, field).strip()
    if _SHOWS_NOTHING.fullmatch(text):
        raise Invalid(FieldError(field, "blank", f"{field} may not be blank."))
    if len(text) > MAX_NAME_CHARACTERS:
        message = f"{field} may have at most {MAX_NAME_CHARACTERS} characters."
        raise Invalid(FieldError(field, "max_length", message))
    return text


def clean_body(value: object, field: str = "body") -> str:
    """The body exactly as given: not blank, at most 16 KiB of UTF-8. Raises Invalid."""
    text = clean_text(value, field)
    if not text or text.isspace():
        raise Invalid(FieldError(field, "blank", f"{field} may not be blank."))
    if len(text.encode()) > MAX_BODY_BYTES:
        message = f"{field} may have at most {MAX_BODY_BYTES} bytes of UTF-8."
        raise Invalid(FieldError(field, "max_length", message))
    return text


def clean_metadata(value: object, field: str = "metadata") -> str:
    """The object as compact JSON, at most 4 KiB of UTF-8 and 8 levels. Raises Invalid."""
    if not isinstance(value, dict):
        raise Invalid(FieldError(field, "type", f"{field} must be a JSON object."))
    for part in _parts(value, field):
        if isinstance(part, str):
            clean_text(part, field)
        elif isinstance(part, float) and not _LOWEST_FLOAT < part < _HIGHEST_FLOAT:
            message = f"The numbers in {field} must lie between -2^63 and 2^64."
            raise Invalid(FieldError(field, "number", message))
    compact = orjson.dumps(value)
    if len(compact) > MAX_METADATA_BYTES:
        message = f"{field} may have at most {MAX_METADATA_BYTES} bytes as compact JSON in UTF-8."
        raise Invalid(FieldError(field, "max_length", message))
    return compact.decode()


def _parts(value: object, field: str) -> Iterator[object]:
    """The names and values in a JSON value. Raises Invalid if it is nested too deep."""
    level, depth = [value], 0
    while level:
        inner: list[object] = []
        for one in level:
            if isinstance(one, dict):
                yield from one
                inner += one.values()
            elif isinstance(one, list):
                inner += one
            else:
                yield one
        depth += any(isinstance(one, dict | list) for one in level)
        if depth > MAX_METADATA_LEVELS:
            message = f"{field} may have at most {MAX_METADATA_LEVELS} levels."
            raise Invalid(FieldError(field, "depth", message))
        level = inner


def clean_text(value: object, field: str) -> str:
    """Any text that can be stored, including the empty one. Raises Invalid."""
    if not isinstance(value, str):
        raise Invalid(FieldError(field, "type", f"{field} must be a string."))
    if "\0" in value:
        raise Invalid(FieldError(field, "null", f"{field} may not contain a NUL character."))
    if _SURROGATE.search(value):
        raise Invalid(FieldError(field, "surrogate", f"{field} contains half a character."))
    return value


#: The value of a field: a text, an object as compact JSON, or None where there is none.
Value = str | None
#: The values of a record type's fields, in their order.
Values = tuple[Value, ...]


def required_value(data: object, name: str) -> object:
    """The value of one field of a request; extra fields are ignored. Raises Invalid without it."""
    if not isinstance(data, dict):
        raise Invalid(FieldError("", "invalid", "The request must be a JSON object."))
    value = data.get(name, _MISSING)
    if value is _MISSING:
        raise Invalid(FieldError(name, "required", f"{name} is required."))
    return value


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
            return self.clean(required_value(data, self.name), self.name)
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
