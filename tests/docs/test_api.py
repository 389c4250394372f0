"""docs/api.md covers everything in docs/openapi.yaml."""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from tests.docs.console import ROOT

PAGE = (ROOT / "docs" / "api.md").read_text()


def operations() -> Iterator[Any]:
    """What can be done, as it is described."""
    description = yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text())
    for methods in description["paths"].values():
        yield from methods.values()


def test_each_error_is_in_its_table() -> None:
    described = {status for one in operations() for status in one["responses"] if status >= "400"}
    explained = " ".join(re.findall(r"^\| (\d{3}[\d, ]*) \|", PAGE, re.MULTILINE))

    assert described <= set(re.findall(r"\d{3}", explained))


def test_each_parameter_and_header_is_named() -> None:
    in_path = {"token", "chat_number", "message_number", "webhook_id"}
    parameters = {one["name"] for each in operations() for one in each.get("parameters", ())}
    headers = {
        name
        for each in operations()
        for answer in each["responses"].values()
        for name in answer.get("headers", ())
    }

    assert {name for name in (parameters | headers) - in_path if f"`{name}" not in PAGE} == set()
