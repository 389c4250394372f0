"""Waiting until parts are ready, and saying early which one will not be.

A part that keeps ending by itself is given up before its limit.
"""

import time
from collections.abc import Callable, Iterable

from localstack import processes, progress
from localstack.errors import StackError
from localstack.layout import Layout
from localstack.parts import READY_LIMIT_S, Part
from localstack.rpc import ProgramState
from localstack.supervisor import Supervisor

MOST_STARTS = 2
UP = {"STARTING", "RUNNING"}
STEADY = {"RUNNING"}
INTERVAL_S = 0.1


class Readiness:
    """One wait for several parts at once."""

    def __init__(
        self, layout: Layout, supervisor: Supervisor, is_ready: Callable[[Part], bool]
    ) -> None:
        """`is_ready` is asked of a part that runs."""
        self._layout = layout
        self._supervisor = supervisor
        self._is_ready = is_ready
        self._starts: dict[str, set[int]] = {}

    def wait(self, parts: Iterable[Part]) -> None:
        """Return when all are ready; raise for the first one that will not be."""
        pending = list(parts)
        began = time.monotonic()
        try:
            while pending := self._not_ready(pending):
                progress.show(pending)
                self._check_limits(pending, time.monotonic() - began)
                time.sleep(INTERVAL_S)
        finally:
            progress.show([])

    def _check_limits(self, pending: Iterable[Part], waited_s: float) -> None:
        for part in pending:
            if waited_s > READY_LIMIT_S[part]:
                raise self._failure(part, f"is not ready after {READY_LIMIT_S[part]} s")

    def _not_ready(self, parts: Iterable[Part]) -> list[Part]:
        states = self._supervisor.states()
        launching = processes.launching(self._layout.identity)
        return [
            part
            for part in parts
            if not self._is_well(part, [state for state in states if state.part is part])
            or part in launching
            or not self._answers(part)
        ]

    def _is_well(self, part: Part, states: list[ProgramState]) -> bool:
        if not states:
            raise self._failure(part, "has lost its supervisor", processes.SUPERVISOR)
        for state in states:
            self._count_starts(state)
        # Beat cannot be asked anything, so it has to last for a while.
        wanted = STEADY if part is Part.BEAT else UP
        return all(state.state in wanted for state in states)

    def _answers(self, part: Part) -> bool:
        return part is Part.BEAT or self._is_ready(part)

    def _count_starts(self, state: ProgramState) -> None:
        starts = self._starts.setdefault(state.name, set())
        if state.started:
            starts.add(state.started)
        if len(starts) > MOST_STARTS or state.state == "FATAL":
            raise self._failure(state.part, "keeps ending by itself", state.name)

    def _failure(self, part: Part, what: str, program: str | None = None) -> StackError:
        names = [program] if program else [state.name for state in self._supervisor.states(part)]
        logs = " and ".join(str(self._layout.log(name)) for name in names)
        return StackError(f"{part} {what}: see {logs}")
