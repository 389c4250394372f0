"""Finding the services' executables, also where an ordinary user's PATH does not look.

The system's own come before the caller's PATH: a running service is compared with what it should
be, and another terminal must not make a difference. STACK_PATH, which `up` remembers, comes first.
"""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from localstack.errors import StackError

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
OLDEST_JAVA = 17


def binary(name: str, first: str = "") -> str:
    """The full path of a command: of these folders first, else of what scripts/provision brings."""
    path = f"{first}:{SYSTEM_PATH}:{os.environ.get('PATH', '')}"
    found = shutil.which(name, path=path.lstrip(":"))
    if found is None:
        raise StackError(f"{name} is not installed: run scripts/provision")
    return found


def java() -> str:
    """A Java that is new enough, whichever the default is."""
    for candidate in _javas():
        if _java_version(candidate) >= OLDEST_JAVA:
            return str(candidate)
    raise StackError(f"no Java {OLDEST_JAVA} or newer is installed: run scripts/provision")


def _javas() -> Iterator[Path]:
    yield from (Path(folder, "java") for folder in SYSTEM_PATH.split(":"))
    yield from sorted(Path("/usr/lib/jvm").glob("*/bin/java"), reverse=True)
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home, "bin", "java")
    if default := shutil.which("java"):
        yield Path(default)


def _java_version(executable: Path) -> int:
    with suppress(OSError):
        release = (executable.resolve().parents[1] / "release").read_text()
        if match := re.search(r'^JAVA_VERSION="(\d+)', release, re.MULTILINE):
            return int(match[1])
    return 0
