"""The local stack, as scripts/stack tells of it and handles it."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.processes import ROOT

_STACK = str(ROOT / "scripts" / "stack")
_LIMIT_SECONDS = 300


@dataclass(frozen=True)
class Part:
    """What a part is doing; `pids` are those of its processes, parents and children."""

    state: str
    pids: Sequence[int]


def parts() -> Mapping[str, Part]:
    """All of them by name, as they are now."""
    status = subprocess.run(
        [_STACK, "status", "--json"], stdout=subprocess.PIPE, check=False, timeout=_LIMIT_SECONDS
    )
    return {line["part"]: Part(line["state"], line["pids"]) for line in json.loads(status.stdout)}


def part(name: str) -> Part:
    """One of them."""
    return parts()[name]


def command(verb: str, name: str) -> None:
    """Have it done to the part. Raises CalledProcessError when that fails."""
    subprocess.run(
        [_STACK, verb, name], check=True, stdout=subprocess.DEVNULL, timeout=_LIMIT_SECONDS
    )
