"""One line for each record, ours and those of libraries: JSON for programs, or words for people.

A line is a line: whatever a field holds, its control characters are written as escapes, so that
nobody can make a second line, or colour a terminal, by what he sends.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from logging import LogRecord
from sys import exc_info
from typing import Any

import orjson
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict

from core.logs.errors import told, traceback_of
from core.logs.events import Event
from core.logs.redaction import Redaction
from core.request import current_request_id
from core.text import visible

MAX_CHARACTERS = 2000
MAX_TRACEBACK = 20_000
_MAX_ITEMS = 50
_TOO_LARGE = 2**63  # for most readers of JSON

Fields = dict[str, Any]


def formatter(*, as_json: bool, secrets: Iterable[str] = ()) -> ProcessorFormatter:
    """What a handler needs to write records so, without these secrets."""
    redact = Redaction(secrets)
    render = _as_json if as_json else _as_line

    def write(_logger: object, _method: str, event_dict: EventDict) -> str:
        return render(_fields(dict(event_dict), redact))

    return ProcessorFormatter(processors=[write])


def _fields(said: Fields, redact: Redaction) -> Fields:
    """The fields that each line has, in their order, then those of the event."""
    record: LogRecord = said.pop("_record")
    event = said.pop("event")
    if not said.pop("_from_structlog"):
        said["message"], event = event, Event.LIBRARY
    error = _error(said.pop("exc_info", None))
    said.pop("stack_info", None)
    fields: Fields = {
        "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "event": str(event),
        "logger": record.name,
        "request_id": said.pop("request_id", None) or current_request_id(),
        "process": record.process,
        **said,
    }
    told_fields: Fields = _plain(fields, redact)
    if error is not None:
        lines = redact(traceback_of(error))[-MAX_TRACEBACK:].splitlines()
        told_fields["traceback"] = "\n".join(map(visible, lines))
    return told_fields


def _error(given: Any) -> BaseException | None:
    if isinstance(given, tuple):
        given = given[1]
    elif given is True:
        given = exc_info()[1]
    return given if isinstance(given, BaseException) else None


def _plain(value: Any, redact: Redaction) -> Any:
    """The value as JSON has it, with nothing in it that a log must not have."""
    plain = partial(_plain, redact=redact)
    match value:
        case bool() | float() | None:
            return value
        case int():
            return value if abs(value) < _TOO_LARGE else str(value)
        case BaseException():
            return plain(told(value))
        case Mapping():
            some = list(value.items())[:_MAX_ITEMS]
            return {plain(str(name)): plain(one) for name, one in some}
        case list() | tuple() | set() | frozenset():
            return [plain(one) for one in list(value)[:_MAX_ITEMS]]
        case _:
            return visible(redact(str(value))[:MAX_CHARACTERS])


def _as_json(fields: Fields) -> str:
    return orjson.dumps(fields, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def _as_line(fields: Fields) -> str:
    traceback = fields.pop("traceback", "")
    head = ("timestamp", "level", "logger", "request_id", "event", "message")
    timestamp, level, logger, request_id, event, message = (fields.pop(one, "") for one in head)
    del fields["process"]
    rest = "".join(f" {name}={_word(value)}" for name, value in fields.items())
    said = message if event == Event.LIBRARY else event
    line = f"{timestamp} {level.upper()} {logger} [{request_id}] {said}{rest}"
    # No line of a traceback begins like a line of the log.
    return "\n    ".join([line, *traceback.splitlines()])


def _word(value: Any) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
    return text if text and " " not in text else orjson.dumps(text).decode()
