"""The stack's parts, as scripts/stack tells and handles them."""

import json
import subprocess
from typing import Any

from bench.processes import ROOT

_STACK = str(ROOT / "scripts" / "stack")


def parts() -> dict[str, dict[str, Any]]:
    """By name: `state`, and `pids` of parents and children."""
    status = subprocess.run([_STACK, "status", "--json"], stdout=subprocess.PIPE, check=False)
    return {part["part"]: part for part in json.loads(status.stdout)}


def command(verb: str, part: str) -> None:
    """Have it done. Raises CalledProcessError when that fails."""
    subprocess.run([_STACK, verb, part], check=True, stdout=subprocess.DEVNULL)
