"""The tables of the README are complete."""

import re

import pytest

from chatsystem.env import Environment
from tests.docs.console import ROOT

pytestmark = pytest.mark.embedded


def test_the_table_of_settings_is_complete() -> None:
    shown = re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)

    assert sorted(shown) == sorted(name.upper() for name in Environment.model_fields)
