"""The lines of an export: an application, its chats, their messages; one JSON object a line.

Exports and converters write these lines, imports read them. Numbers, times and versions are part of
a line, so an import restores what the API showed. The values of chats and messages follow from
their record types. docs/conversations.md describes the format.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from chats.records import CHATS
from infra.errors import FieldError, Invalid
from infra.versions import FIRST_VERSION
from ingest.fields import Value, clean_name, required_value
from ingest.records import RecordType, timestamp
from messages_app.records import MESSAGES

#: Every reader of JSON keeps integers up to here. Above any number in a file there must be room for
#: the numbers that come later.
MAX_INTEGER = 2**53 - 1

#: Characters that JSON permits but terminals obey, or readers take for the end of a line: DEL, C1
#: controls, line and paragraph separators, directional overrides. JSON has them only in strings.
_UNSAFE = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069]")

_ERASED: Mapping[str, Value] = dict(zip(MESSAGES.field_names, MESSAGES.blank_values, strict=True))

_FIRST_TIME, _LAST_TIME = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class History:
    """Times and version of a row. Rows without `created_at` are created by their import."""

    created_at: datetime | None = None
    updated_at: datetime | None = None
    version: int = FIRST_VERSION

    def columns(self, now: datetime) -> dict[str, datetime | int]:
        """The columns of the row; `now` is the time of the import."""
        created_at = self.created_at or now
        updated_at = self.updated_at or created_at
        return {"created_at": created_at, "updated_at": updated_at, "version": self.version}

    def fields(self) -> dict[str, object]:
        """The fields of a line."""
        times = {"created_at": self.created_at, "updated_at": self.updated_at}
        shown = {name: timestamp(at) for name, at in times.items() if at}
        return {**shown, "version": self.version}


@dataclass(frozen=True, slots=True)
class ApplicationLine:
    """The first line; the chats and messages behind it belong to this application."""

    name: str
    chats_count: int
    history: History

    def as_line(self) -> str:
        """The line with its newline."""
        fields = {"name": self.name, "chats_count": self.chats_count}
        return _line({"type": "application", **fields, **self.history.fields()})


@dataclass(frozen=True, slots=True)
class InvalidApplication:
    """An application line that breaks a rule: the lines behind it have no application."""

    reason: str


@dataclass(frozen=True, slots=True)
class ChatLine:
    """A chat with the values of its fields; messages up to `purged_through` were purged."""

    chat_number: int
    values: Mapping[str, Value]
    messages_count: int
    purged_through: int
    history: History

    def as_line(self) -> str:
        """The line with its newline."""
        numbers = {"messages_count": self.messages_count, "purged_through": self.purged_through}
        return _line(
            {
                "type": "chat",
                "chat_number": self.chat_number,
                **_shown(CHATS, self.values),
                **numbers,
                **self.history.fields(),
            }
        )


@dataclass(frozen=True, slots=True)
class MessageLine:
    """A message with the values of its fields; those of an erased one are blank."""

    chat_number: int
    message_number: int
    values: Mapping[str, Value]
    erased_at: datetime | None
    history: History

    def as_line(self) -> str:
        """The line with its newline."""
        return _line(
            {
                "type": "message",
                "chat_number": self.chat_number,
                "message_number": self.message_number,
                **(
                    {"erased_at": timestamp(self.erased_at)}
                    if self.erased_at
                    else _shown(MESSAGES, self.values)
                ),
                **self.history.fields(),
            }
        )


ExportLine = ApplicationLine | InvalidApplication | ChatLine | MessageLine


def has_type(data: object) -> bool:
    """Whether this is meant as a line of an export, and not as one of the old format."""
    return isinstance(data, dict) and "type" in data and "application" not in data


def read_line(data: Mapping[str, object]) -> ExportLine:
    """The line of this object. Raises Invalid for an invalid chat or message."""
    match data.get("type"):
        case "application":
            return _read_application(data)
        case "chat":
            return _read_chat(data)
        case "message":
            return _read_message(data)
        case _:
            message = "type must be application, chat or message."
            raise Invalid(FieldError("type", "invalid", message))


def _read_application(data: Mapping[str, object]) -> ApplicationLine | InvalidApplication:
    try:
        name = clean_name(required_value(data, "name"))
        return ApplicationLine(name, _integer(data, "chats_count", 0, 0), _history(data))
    except Invalid as invalid:
        return InvalidApplication(invalid.detail)


def _read_chat(data: Mapping[str, object]) -> ChatLine:
    return ChatLine(
        chat_number=_integer(data, "chat_number", 1),
        values=CHATS.clean(data),
        messages_count=_integer(data, "messages_count", 0, 0),
        purged_through=_integer(data, "purged_through", 0, 0),
        history=_history(data),
    )


def _read_message(data: Mapping[str, object]) -> MessageLine:
    erased_at = _time(data, "erased_at")
    if erased_at and any(data.get(name) is not None for name in MESSAGES.field_names):
        message = f"An erased message has no {', '.join(MESSAGES.field_names)}."
        raise Invalid(FieldError("erased_at", "invalid", message))
    return MessageLine(
        chat_number=_integer(data, "chat_number", 1),
        message_number=_integer(data, "message_number", 1),
        values=_ERASED if erased_at else MESSAGES.clean(data),
        erased_at=erased_at,
        history=_history(data),
    )


def _history(data: Mapping[str, object]) -> History:
    return History(
        _time(data, "created_at"),
        _time(data, "updated_at"),
        _integer(data, "version", FIRST_VERSION, FIRST_VERSION),
    )


def _integer(data: Mapping[str, object], name: str, least: int, default: int | None = None) -> int:
    """An integer field; required without a default. Raises Invalid."""
    given = required_value(data, name) if default is None else data.get(name, default)
    if type(given) is not int or not least <= given <= MAX_INTEGER:
        message = f"{name} must be an integer from {least} to {MAX_INTEGER}."
        raise Invalid(FieldError(name, "invalid", message))
    return given


def _time(data: Mapping[str, object], name: str) -> datetime | None:
    """A time, or None where the field is null or missing. Raises Invalid."""
    given = data.get(name)
    if given is None:
        return None
    with suppress(ValueError, OverflowError):
        at = datetime.fromisoformat(str(given))
        if at.tzinfo and _FIRST_TIME <= at < _LAST_TIME:
            return at.astimezone(UTC)
    message = f"{name} must be a time from 1970 to 9998, such as 2026-01-31T12:00:00.000000Z."
    raise Invalid(FieldError(name, "invalid", message))


def _shown(kind: RecordType, values: Mapping[str, Value]) -> dict[str, object]:
    """The values of the fields, JSON as JSON."""
    return {
        each.name: orjson.Fragment(value) if each.is_json and value is not None else value
        for each, value in ((each, values[each.name]) for each in kind.fields)
    }


def _line(fields: Mapping[str, object]) -> str:
    line = orjson.dumps(fields).decode()
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", line) + "\n"
