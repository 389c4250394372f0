"""supervisord as the rest of this package sees it: parts that are started, stopped and killed.

A request returns when it has been fulfilled. What supervisord knows and what the table of processes
shows are brought together here: a part is down only when no process of it is left.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from functools import partial

from localstack import processes, supervisor_configuration
from localstack.errors import StackError
from localstack.layout import Layout
from localstack.parts import APPLICATION, SERVICES, STOP_LIMIT_S, Part
from localstack.program import Program
from localstack.rpc import NoAnswer, ProgramState, Rpc
from localstack.waiting import wait_until

START_LIMIT_S = 20
DOWN = {"STOPPED", "FATAL"}
TO_BE_STOPPED = {"STARTING", "RUNNING", "BACKOFF"}


class Supervisor:
    """The supervisord of one stack, which may or may not be running."""

    def __init__(self, layout: Layout) -> None:
        """Nothing is started or connected yet."""
        self._layout = layout
        self._rpc = Rpc(layout.supervisor_socket)

    def answers(self) -> bool:
        """Whether it is running and well."""
        try:
            self._rpc.states()
        except NoAnswer:
            return False
        return True

    def states(self, part: Part | None = None) -> list[ProgramState]:
        """The programs of a part, or all; none at all when supervisord does not run."""
        try:
            return [state for state in self._rpc.states() if part in (None, state.part)]
        except NoAnswer:
            return []

    def ensure(self, programs: Iterable[Program]) -> None:
        """Have it running with this configuration; programs that are out of date are stopped."""
        configuration = self._layout.run / "supervisord.conf"
        configuration.write_text(supervisor_configuration.render(self._layout, programs))
        if not self.answers():
            processes.terminate(processes.of_stack(self._layout.identity))
            self._layout.supervisor_socket.unlink(missing_ok=True)
            self._spawn(str(configuration))
        self._apply()

    def start(self, part: Part) -> None:
        """Resume a paused part, and ask for all its programs to run, now."""
        self.resume(part)
        for state in self.states(part):
            if state.state == "BACKOFF":  # it would wait before the next attempt
                self._rpc.stop(state.full_name)
            self._rpc.start(state.full_name)

    def stop(self, parts: Iterable[Part]) -> None:
        """SIGTERM, and return when nothing is left of any of the parts."""
        wanted = list(parts)
        for part in wanted:
            self.resume(part)
        for part in wanted:
            wait_until(
                partial(self._has_stopped, part, wanted),
                limit_s=STOP_LIMIT_S[part] + START_LIMIT_S,
                failure=f"{part} did not stop (see {self._layout.logs})",
            )
            processes.kill(processes.of_part(self._layout.identity, part))

    def kill(self, part: Part) -> None:
        """SIGKILL to every process of the part, which then stays down.

        They are frozen first: supervisord has to be told that the part shall be down, and tells it
        to the processes by a SIGTERM, which none may get to handle.
        """

        def is_dead() -> bool:
            frozen = processes.freeze(self._layout.identity, part)
            self._request_stop([part])
            processes.kill(frozen)
            return self._is_down(part) and not processes.of_part(self._layout.identity, part)

        wait_until(
            is_dead, limit_s=processes.KILL_LIMIT_S, failure=f"{part} did not die of SIGKILL"
        )

    def pause(self, part: Part) -> None:
        """SIGSTOP to every process of the part."""
        if not processes.freeze(self._layout.identity, part):
            raise StackError(f"{part} does not run")

    def resume(self, part: Part) -> bool:
        """SIGCONT to every process of the part; says whether there was any."""
        found = processes.of_part(self._layout.identity, part)
        processes.send(found, signal.SIGCONT)
        return bool(found)

    def shut_down(self) -> None:
        """Stop everything in good order; afterwards no process of the stack is left."""
        if self.answers():
            self.stop(APPLICATION)
            self.stop(SERVICES)
            with suppress(NoAnswer):
                self._rpc.shut_down()
        processes.terminate(processes.of_stack(self._layout.identity))

    def _spawn(self, configuration: str) -> None:
        log = self._layout.log(processes.SUPERVISOR)
        marks = processes.markers(self._layout.identity, processes.SUPERVISOR)
        with log.open("a") as output:
            subprocess.Popen(
                [sys.executable, "-m", "localstack.supervisord", configuration],
                cwd=self._layout.state,
                env=marks | {"PATH": os.defpath, "PYTHONPATH": str(self._layout.scripts)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        wait_until(
            self.answers, limit_s=START_LIMIT_S, failure=f"supervisord did not start (see {log})"
        )

    def _apply(self) -> None:
        added, changed, removed = self._rpc.reload()
        outdated = [Part(name) for name in (*changed, *removed)]
        self.stop(part for part in outdated if part in APPLICATION)
        self.stop(part for part in outdated if part in SERVICES)
        for part in outdated:
            self._rpc.remove(str(part))
        for name in (*added, *changed):
            self._rpc.add(name)

    def _has_stopped(self, part: Part, wanted: Iterable[Part]) -> bool:
        self._request_stop(wanted)
        return self._is_down(part)

    def _request_stop(self, parts: Iterable[Part]) -> None:
        """To be repeated: one that ended by itself this moment takes no orders until it is back."""
        wanted = set(parts)
        for state in self.states():
            if state.part in wanted and state.state in TO_BE_STOPPED:
                self._rpc.stop(state.full_name)

    def _is_down(self, part: Part) -> bool:
        return all(state.state in DOWN for state in self.states(part))
