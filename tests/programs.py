"""Optional programs that some tests need and not every machine has."""

import os
import shutil
from typing import NoReturn

import pytest


def needed(name: str, package: str) -> str:
    """The program's path; skips the test if it is missing."""
    return shutil.which(name) or missing(f"there is no {name}: install Debian's {package}")


def missing(message: str) -> NoReturn:
    """Skip the test; fail it if CI=true, where every program must be installed."""
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)
