"""The local stack, as scripts/stack tells of it."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from bench.processes import ROOT

STACK = str(ROOT / "scripts" / "stack")


@dataclass(frozen=True)
class Part:
    """What a part is doing; `pids` are those of its processes, parents and children."""

    state: str
    pids: Sequence[int]


def part(name: str) -> Part:
    """The part as it is now."""
    status = subprocess.run([STACK, "status", "--json"], stdout=subprocess.PIPE, check=False)
    [found] = [line for line in json.loads(status.stdout) if line["part"] == name]
    return Part(found["state"], found["pids"])
