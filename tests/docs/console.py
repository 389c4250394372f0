"""The console blocks of documents, run as written and compared with the shown output.

A command follows "$"; one that ends in a backslash continues on the next line. The lines below it
are its output.
"""

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
WITHIN_S = 120
#: What differs from run to run: keys, ids, signed tokens, times, durations, addresses, letters.
VOLATILE = re.compile(
    r"\b[0-9a-f]{24}\b|\b[0-9a-f]{32}\b|\b[0-9a-f]{64}\b"
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[\d.]*Z?|\b\d{16}\b|\d+(\.\d+)? ?s\b"
    r"|\bWy[IJ][\w-]+:[\w-]{43}"
    r"|127\.0\.0\.1:\d+|^\d+(?=: |  \d{4}-)",
    re.MULTILINE,
)
_MARK = "=====next====="


@dataclass(frozen=True)
class Step:
    """A command and its documented output."""

    command: str
    output: str


def steps_of(page: str) -> list[Step]:
    """All commands of a document's console blocks, in order."""
    blocks = re.findall(r"```console\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    parts = re.findall(r"^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ ).*\n)*)", "".join(blocks), re.MULTILINE)
    return [Step(command, output.strip()) for command, output in parts]


def assert_goes_as_shown(
    steps: Sequence[Step], *, folder: Path, environment: Mapping[str, str], url: str | None = None
) -> None:
    """Run the steps in one shell; `url` is where that is which is shown at 127.0.0.1:8000."""
    script = "set -e\n" + "".join(f"{step.command}\necho; echo {_MARK}\n" for step in steps)
    ran = subprocess.run(
        ["bash", "-c", script.replace("http://127.0.0.1:8000", url) if url else script],
        cwd=folder,
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for step, output in zip(steps, ran.stdout.split(_MARK), strict=False):
        assert _lasting(output) == _lasting(step.output), step.command


def _lasting(output: str) -> str:
    return VOLATILE.sub("…", output.strip())
