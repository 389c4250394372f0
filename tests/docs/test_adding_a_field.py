"""The steps of docs/development.md for adding a field, run on a copy of the tree."""

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.docs.console import ROOT
from tests.live.servers import embedded_environment

pytestmark = pytest.mark.costly

PAGE = ROOT / "docs" / "development.md"
MOST_STEPS = 5
WITHIN_S = 120


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The tracked files, with the environment of the checkout."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    folder = tmp_path / "copy"
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(Path(sys.prefix))
    return folder


def test_the_steps_of_the_page_add_a_field(copy: Path, tmp_path: Path) -> None:
    section = _section("How to add a field")
    environment = embedded_environment(tmp_path / "var")
    assert 1 <= section.count("\n### Step") <= MOST_STEPS

    for language, block in re.findall(r"^```(\w+)\n(.*?)^```", section, re.DOTALL | re.MULTILINE):
        if language == "diff":
            _run(["git", "apply", "-p0", "-"], copy, environment, block)
        elif language == "sh":
            # The environment is that of the checkout: nothing is installed into it.
            command = block.replace("make ", "make --assume-old=.venv/embedded ")
            _run(["bash", "-ec", command], copy, environment)
        else:
            (copy / "tests" / "api" / "test_subject.py").write_text(block)

    python = str(copy / ".venv" / "bin" / "python")
    _run([python, "manage.py", "makemigrations", "--check", "--dry-run"], copy, environment)
    assert (copy / "docs" / "openapi.yaml").read_text() != (
        ROOT / "docs" / "openapi.yaml"
    ).read_text()
    tests = [
        "tests/api/test_subject.py",
        "tests/contract/test_fields.py",
        # Rows without the field are written as before.
        "tests/upgrade/test_side_by_side.py",
    ]
    command = [python, "-m", "pytest", "-q", "-n", "0", "-m", "not stack", *tests]
    assert "passed" in _run(command, copy, environment)


def _section(heading: str) -> str:
    """The text below this heading of the page."""
    found = re.search(
        rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.DOTALL | re.MULTILINE
    )
    assert found, heading
    return found[1]


def _run(
    command: list[str], folder: Path, environment: Mapping[str, str], given: str | None = None
) -> str:
    """The output of a command that succeeds."""
    ran = subprocess.run(
        command,
        cwd=folder,
        env=dict(environment),
        input=given,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout
