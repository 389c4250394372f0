"""The lines that docs/conversations.md shows are those of an export."""

import re
from pathlib import Path

import pytest

from tests.conversations.runs import exported, imported
from tests.docs.console import ROOT

PAGE = (ROOT / "docs/conversations.md").read_text()


@pytest.mark.django_db
def test_its_lines_are_imported_and_exported_as_they_are(tmp_path: Path) -> None:
    [lines] = re.findall(r"```jsonl\n(.*?)```", PAGE, re.DOTALL)
    file = tmp_path / "export.jsonl"
    file.write_text(lines)

    [share] = imported(file)["applications"]

    assert exported(share["token"]).decode() == lines
