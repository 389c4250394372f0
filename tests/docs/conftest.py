"""The environment in which documented sessions run."""

from pathlib import Path

import pytest

from tests.docs.console import ROOT


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder that commands see as the checkout, so that their files stay out of the real one."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in (".venv", "manage.py"):
        (folder / name).symlink_to(ROOT / name)
    return folder
