"""`status`: what each part is doing, from supervisord and from the table of processes."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import psutil

from localstack import ports, processes
from localstack.layout import Layout
from localstack.parts import Part
from localstack.rpc import ProgramState
from localstack.settings import Ports, load
from localstack.supervisor import Supervisor


class State(StrEnum):
    """Failed: it should run, and does not or not under supervision."""

    RUNNING = "running"
    STOPPED = "stopped"
    PAUSED = "paused"
    FAILED = "failed"


@dataclass(frozen=True)
class PartStatus:
    """One line of the answer."""

    part: Part
    state: State
    pids: tuple[int, ...]
    port: int | None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def as_line(self) -> str:
        """For people."""
        pids = ",".join(map(str, self.pids)) or "-"
        return f"{self.part:<14}{self.state:<9}{self.port or '-':<7}{pids}"


def status(layout: Layout) -> list[PartStatus]:
    """All parts, in their order."""
    settings = load(layout.settings_file)
    known = settings.ports if settings else Ports()
    states = Supervisor(layout).states()
    found = processes.by_part(layout.identity)
    return [
        PartStatus(
            part=part,
            state=_state([state for state in states if state.part is part], found[part]),
            pids=tuple(process.pid for process in found[part]),
            port=ports.main_port(known, part) or None,
        )
        for part in Part
    ]


def _state(states: Iterable[ProgramState], found: list[psutil.Process]) -> State:
    names = {state.state for state in states}
    if not names:
        return State.FAILED if found else State.STOPPED
    if any(map(processes.is_frozen, found)):
        return State.PAUSED
    if names <= {"STOPPED", "STOPPING"}:
        return State.RUNNING if found else State.STOPPED
    return State.RUNNING if names <= {"RUNNING", "STARTING"} else State.FAILED
