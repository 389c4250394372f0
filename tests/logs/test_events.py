"""The list of events is closed, each event is used, and the documentation has the same list."""

import ast
import re
from collections.abc import Iterator

from infra.logs import Event
from infra.logs.formatting import OWN_PACKAGES
from tests.live.servers import ROOT

METHODS = {"debug", "info", "warning", "error", "exception", "critical", "log"}


def calls() -> Iterator[tuple[str, ast.Call]]:
    """All calls of a logger of ours."""
    for package in OWN_PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            text = path.read_text()
            if "= get_logger(" not in text:
                continue
            for node in ast.walk(ast.parse(text)):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and node.func.attr in METHODS
                    and isinstance(node.func.value, ast.Name)
                    and node.func.value.id == "logger"
                ):
                    yield f"{path}:{node.lineno}", node


def event_of(call: ast.Call) -> str:
    """The name of the event that a call logs, or nothing."""
    assert isinstance(call.func, ast.Attribute)
    place = 1 if call.func.attr == "log" else 0
    event = call.args[place] if len(call.args) > place else None
    is_event = isinstance(event, ast.Attribute) and ast.unparse(event.value) == "Event"
    return event.attr if is_event and isinstance(event, ast.Attribute) else ""


def test_only_events_are_logged_and_their_fields_by_name() -> None:
    found = list(calls())

    assert len(found) > 30
    for where, call in found:
        assert event_of(call) in Event.__members__, where
        assert len(call.args) == (2 if ast.unparse(call.func) == "logger.log" else 1), where


def test_every_event_is_logged_somewhere() -> None:
    assert {event_of(call) for _, call in calls()} == {*Event.__members__} - {"LIBRARY"}


def test_the_documentation_has_the_same_list() -> None:
    page = (ROOT / "docs" / "operations.md").read_text().partition("## Logs")[2]
    shown = re.findall(r"^\| `([a-z_.]+)` \| (.*) \|$", page, re.MULTILINE)

    assert shown == [(event.value, event.meaning) for event in Event]
