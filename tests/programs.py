"""Optional programs that some tests need and not every machine has."""

import os
import shutil
from typing import NoReturn

import pytest


def needed(name: str, package: str) -> str:
    """Where it is; without it the test is skipped."""
    return shutil.which(name) or missing(f"there is no {name}: install Debian's {package}")


def missing(message: str) -> NoReturn:
    """Skip the test; fail it where all is said to be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)
