"""A record is one line in either format, without any secret."""

import json
import logging
import os
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DataError, OperationalError

from infra.logs import Event, get_logger, request_id_var
from infra.logs.formatting import MAX_CHARACTERS, formatter
from tests.logs.conftest import SECRETS, Log

BODY = "what a client said"
HOSTILE = 'a\r\n{"event": "forged"}\u2028b\x1b[31m\x85\x00\ud800'
ours, library = get_logger("operations.tests"), logging.getLogger("some.library")


def fail(error: Exception, cause: Exception | None = None) -> None:
    raise error from cause


def written(say: Callable[[], object], *, as_json: bool) -> str:
    """The text of all records that are made meanwhile."""
    records: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(self.format(record))

    handler = Handler()
    handler.setFormatter(formatter(as_json=as_json, secrets=SECRETS))
    # Alone: what pytest captures it sends between its processes, which cannot send a surrogate.
    root = logging.getLogger()
    others, root.handlers = root.handlers, [handler]
    try:
        say()
    finally:
        root.handlers = others
    return "\n".join(records)


def test_a_line_has_all_that_logs_are_searched_by(log: Log) -> None:
    token = request_id_var.set("a-request")
    ours.warning(Event.SERVICE_AWAY, service="redis", error=ConnectionError("refused"))
    request_id_var.reset(token)

    [line] = log.of("service.away")
    assert list(line)[:6] == ["timestamp", "level", "event", "logger", "request_id", "process"]
    assert line["timestamp"].endswith("+00:00")
    assert (line["level"], line["logger"]) == ("warning", "operations.tests")
    assert (line["request_id"], line["process"]) == ("a-request", os.getpid())
    assert (line["service"], line["error"]) == ("redis", "ConnectionError: refused")


def test_a_library_says_its_words_in_the_same_form(log: Log) -> None:
    library.warning("connected to %s", "somewhere")

    [line] = log.of("library")
    assert (line["logger"], line["message"]) == ("some.library", "connected to somewhere")
    assert line["request_id"] == "-"


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize(
    "say",
    [
        lambda: ours.error(Event.SERVICE_AWAY, service=HOSTILE),
        lambda: ours.error(Event.SERVICE_AWAY, **{HOSTILE: [HOSTILE, {HOSTILE: HOSTILE}]}),
        lambda: ours.error(Event.SERVICE_AWAY, error=ConnectionError(HOSTILE)),
        lambda: library.error("%s", HOSTILE),
        lambda: library.error(HOSTILE, exc_info=None),
    ],
)
def test_nobody_makes_a_second_line(say: Callable[[], object], as_json: bool) -> None:
    text = written(say, as_json=as_json)

    assert len(text.splitlines()) == 1
    assert text.isprintable()
    if as_json:
        assert json.loads(text)["event"] in {"service.away", "library"}


def test_nobody_makes_a_second_line_by_a_traceback() -> None:
    def say() -> None:
        try:
            fail(ConnectionError("x\n2026-11-24T00:00:00+00:00 ERROR forged"))
        except ConnectionError:
            ours.exception(Event.ROWS_FAILED)

    first, *others = written(say, as_json=False).splitlines()

    assert "rows.failed" in first
    assert others
    assert all(line.startswith("    ") for line in others)


@pytest.mark.parametrize("as_json", [True, False])
def test_secrets_are_hidden_wherever_they_are(as_json: bool) -> None:
    key, password = SECRETS

    def say() -> None:
        ours.error(Event.SERVICE_AWAY, url=f"redis://:{password}@host", fields={"a": [key]})
        library.error("cannot connect to %s", f"amqp://user:{password}@host")
        try:
            fail(ConnectionError(f"refused: {password}"))
        except ConnectionError:
            library.exception("failed")

    text = written(say, as_json=as_json)

    assert key not in text
    assert password not in text
    assert text.count("***") == 4


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OperationalError(2006, "Server has gone away"), "Server has gone away"),
        (OperationalError(1366, f"Incorrect string value: '{BODY}'"), "OperationalError"),
        (DataError(1406, f"Data too long: {BODY}"), "DataError"),
        (ValueError(f"not a number: {BODY}"), "ValueError"),
        (KeyError(BODY), "KeyError"),
    ],
)
def test_what_may_quote_a_client_is_not_quoted(log: Log, error: Exception, told: str) -> None:
    ours.warning(Event.ROWS_WAIT, error=error)
    try:
        fail(RuntimeError(BODY), error)
    except RuntimeError:
        ours.exception(Event.ROWS_FAILED)

    assert told in log.of("rows.wait")[0]["error"]
    [line] = log.of("rows.failed")
    assert "test_lines.py" in line["traceback"]
    assert "RuntimeError" in line["traceback"]
    assert BODY not in log.text


def test_a_line_has_an_end(log: Log) -> None:
    ours.warning(Event.ROWS_WAIT, what="x" * 10**6, which=list(range(10**5)), number=2**70)

    [line] = log.of("rows.wait")
    assert len(line["what"]) == MAX_CHARACTERS
    assert len(line["which"]) == 50
    assert line["number"] == str(2**70)


def test_words_are_readable() -> None:
    def say() -> None:
        ours.warning(Event.SERVICE_AWAY, service="redis", error=ConnectionError("no route"))

    line = written(say, as_json=False)

    assert line.endswith(
        'WARNING operations.tests [-] service.away service=redis error="ConnectionError: no route"'
    )


def test_anything_may_be_a_field(log: Log) -> None:
    values: list[Any] = [None, True, 1.5, float("nan"), b"\xff", object(), {1: 2}, {"a"}]

    ours.warning(Event.ROWS_WAIT, values=values)

    assert len(log.of("rows.wait")[0]["values"]) == len(values)
