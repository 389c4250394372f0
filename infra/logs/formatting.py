"""Log lines: one for each record, as JSON for programs or as words for people.

Control characters become escapes, so no client can forge a line. Secrets are hidden. The text of an
error may quote a client, so only texts of service errors and of this project's own are written.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from logging import LogRecord
from pathlib import Path
from sys import exc_info
from traceback import format_tb
from typing import Any
from unicodedata import category
from urllib.parse import unquote, urlsplit

import orjson
import redis
from amqp.exceptions import AMQPError
from django.db import InterfaceError, OperationalError
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict

from infra.logs import request_id_var
from infra.logs.events import Event
from infra.service_errors import blames_row

#: The packages of this project; the texts of their errors may be written.
OWN_PACKAGES = {path.parent.name for path in Path(__file__).parents[2].glob("*/__init__.py")}

HIDDEN = "***"
#: A shorter secret would occur in half of all words.
MIN_CHARACTERS = 4


def visible(text: str) -> str:
    """The text with escapes for everything that a terminal or a log obeys and does not show.

    These are control characters, ends of lines, directions and halves of characters. Spaces of any
    width and the joiners of scripts and emoji stay.
    """
    if text.isprintable():
        return text
    return "".join(one if _is_shown(one) else ascii(one)[1:-1] for one in text)


def _is_shown(one: str) -> bool:
    return one.isprintable() or one in "\u200c\u200d" or category(one) == "Zs"


def passwords(urls: Iterable[str]) -> Iterable[str]:
    """The passwords in these URLs, as written and decoded."""
    for url in urls:
        written = urlsplit(url).password or ""
        yield from (written, unquote(written))


class Redaction:
    """Hides these secrets in texts."""

    def __init__(self, secrets: Iterable[str]) -> None:
        long_first = sorted({*secrets}, key=len, reverse=True)
        known = [re.escape(secret) for secret in long_first if len(secret) >= MIN_CHARACTERS]
        self._pattern = re.compile("|".join(known)) if known else None

    def __call__(self, text: str) -> str:
        """The text with the secrets hidden."""
        return self._pattern.sub(HIDDEN, text) if self._pattern else text


_OF_SERVICES = (OSError, InterfaceError, redis.RedisError, AMQPError)
_CHAIN = 5


def describe(error: BaseException) -> str:
    """The error in a line: its kind, and its text if that cannot quote a client."""
    kind = type(error).__name__
    return f"{kind}: {error}" if _is_safe_to_quote(error) else kind


def traceback_of(error: BaseException) -> str:
    """The traceback of the error and of the errors that led to it."""
    parts = [
        "".join(format_tb(one.__traceback__)) + describe(one)
        for one in islice(_chain(error), _CHAIN)
    ]
    return "\n\nled to\n\n".join(reversed(parts))


def _is_safe_to_quote(error: BaseException) -> bool:
    if isinstance(error, OperationalError):
        return not blames_row(error)
    if isinstance(error, ValueError):
        return False
    return (
        isinstance(error, _OF_SERVICES) or type(error).__module__.partition(".")[0] in OWN_PACKAGES
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)


MAX_CHARACTERS = 2000
MAX_TRACEBACK = 20_000
_MAX_ITEMS = 50
_TOO_LARGE = 2**63  # for most readers of JSON

Fields = dict[str, Any]


def formatter(*, as_json: bool, secrets: Iterable[str] = ()) -> ProcessorFormatter:
    """The formatter of a log handler, which hides these secrets."""
    redact = Redaction(secrets)
    render = _as_json if as_json else _as_line

    def write(_logger: object, _method: str, event_dict: EventDict) -> str:
        return render(_fields(dict(event_dict), redact))

    return ProcessorFormatter(processors=[write])


def _fields(said: Fields, redact: Redaction) -> Fields:
    """The fields that each line has, in order, then those of the event."""
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
        "request_id": said.pop("request_id", None) or request_id_var.get(),
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
    """The value as JSON, without anything that a log must not contain."""
    plain = partial(_plain, redact=redact)
    match value:
        case bool() | float() | None:
            return value
        case int():
            return value if abs(value) < _TOO_LARGE else str(value)
        case BaseException():
            return plain(describe(value))
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
    # Indented, so that no line of a traceback looks like a line of the log.
    return "\n    ".join([line, *traceback.splitlines()])


def _word(value: Any) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
    return text if text and " " not in text else orjson.dumps(text).decode()


#: Loggers that write a line for each request or task, or for a client's mistake.
QUIET_LIBRARIES = {
    # A 4xx is in the client's answer; the server's own failures are logged.
    "django.request": "ERROR",
    "django.security": "ERROR",
    "django.security.DisallowedHost": "CRITICAL",
    # A line for each request; its caller logs failures.
    "elastic_transport": "ERROR",
    # Two lines for each task; a failed task is an event of this project.
    "celery.worker.strategy": "WARNING",
    "celery.app.trace": "CRITICAL",
    # A line every ten seconds.
    "celery.beat": "WARNING",
}


def logging_configuration(*, as_json: bool, level: str, secrets: Sequence[str]) -> dict[str, Any]:
    """Configuration for logging.config.dictConfig: everything goes to standard error.

    Own lines are written from `level` on, those of libraries at most from INFO on, because their
    debug lines may contain anything.
    """
    of_libraries = "INFO" if level == "DEBUG" else level
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "one": {"()": "infra.logs.formatting.formatter", "as_json": as_json, "secrets": secrets}
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "one"}},
        "root": {"handlers": ["stderr"], "level": of_libraries},
        "loggers": {
            **{name: {"level": level} for name in OWN_PACKAGES},
            **{name: {"level": quiet} for name, quiet in QUIET_LIBRARIES.items()},
        },
    }
