"""supervisord, by its configuration file and its XML-RPC interface, and stopping parts through it.

supervisord starts a program again whenever it ends, until a stop is requested. A part is down only
when the table of processes shows none of it either, so the two are brought together here.
"""

import ctypes
import http.client
import os
import resource
import shlex
import signal
import subprocess
import sys
import xmlrpc.client
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from supervisor.childutils import getRPCInterface

from localstack import processes
from localstack.plan import Launch, Plan, fill_in
from localstack.processes import StackError, wait_until
from localstack.settings import Layout
from localstack.topology import FOLDER

SUPERVISOR = "supervisord"
LAUNCHER = "localstack.launch"
START_LIMIT_S = 20
STOP_LIMIT_S = 90  # more than any part's own limit, after which supervisord sends SIGKILL
UP = {"STARTING", "RUNNING"}
DOWN = {"STOPPED", "FATAL"}
OPEN_FILES = 65536
PR_SET_CHILD_SUBREAPER = 36


class NoAnswerError(StackError):
    """supervisord does not run, or does not answer in time."""


class Supervisor:
    """The supervisord of one stack, whether it runs or not."""

    def __init__(self, layout: Layout) -> None:
        self._identity = layout.identity
        self._socket = layout.run / "supervisor.sock"
        self.log = layout.log(SUPERVISOR)

    def answers(self) -> bool:
        """Whether it runs and answers."""
        with suppress(NoAnswerError):
            return bool(self._call("getPID"))
        return False

    def programs(self, *parts: str) -> list[dict[str, Any]]:
        """The programs of these parts, none when supervisord does not run.

        Each has `group` (the part), `name`, `statename` and `start` (in seconds, 0: never).
        """
        with suppress(NoAnswerError):
            return [info for info in self._call("getAllProcessInfo") if info["group"] in parts]
        return []

    def configure(self, plan: Plan, launches: Mapping[str, Iterable[Launch]]) -> None:
        """Run with these programs; parts that have changed or are no longer wanted are stopped."""
        configuration = plan.layout.run / "supervisord.conf"
        configuration.write_text(_configuration(plan, launches))
        if not self.answers():
            processes.end_all(self._identity)
            self._socket.unlink(missing_ok=True)
            self._spawn(configuration)
        [[added, changed, removed]] = self._call("reloadConfig")
        outdated = {*changed, *removed}
        self.stop(*outdated.intersection(plan.topology.application))
        self.stop(*outdated.difference(plan.topology.application))
        for part in outdated:
            self._call("removeProcessGroup", part)
        for part in (*added, *changed):
            self._call("addProcessGroup", part)

    def start(self, part: str) -> None:
        """Resume the part, and ask for all its programs to run, now."""
        self._continue(part)
        for program in self.programs(part):
            if program["statename"] == "BACKOFF":  # it would wait for the next attempt
                self._call("stopProcess", f"{part}:{program['name']}", False)
        self._call("startProcessGroup", part, False)

    def stop(self, *parts: str) -> None:
        """SIGTERM to the programs; returns when no process of these parts is left."""
        for part in parts:
            self._continue(part)
        wait_until(
            lambda: not [part for part in parts if not self._request_stop(part)],
            limit_s=STOP_LIMIT_S,
            failure=f"{', '.join(parts)} did not stop (see {self.log})",
        )
        for part in parts:
            processes.kill(processes.of_part(self._identity, part))

    def kill(self, part: str) -> None:
        """SIGKILL to every process of the part, which then stays down.

        They are frozen first: a stop has to be requested of supervisord, whose SIGTERM the
        processes must not get to handle.
        """

        def is_dead() -> bool:
            frozen = processes.freeze(self._identity, part)
            is_down = self._request_stop(part)
            processes.kill(frozen)
            return is_down and not processes.of_part(self._identity, part)

        failure = f"{part} did not end after SIGKILL"
        wait_until(is_dead, limit_s=processes.KILL_LIMIT_S, failure=failure)

    def pause(self, part: str) -> None:
        """SIGSTOP to every process of the part: connections stay open, and nothing answers."""
        if not processes.freeze(self._identity, part):
            raise StackError(f"{part} does not run")

    def resume(self, part: str) -> None:
        """SIGCONT to every process of the part."""
        if not self._continue(part):
            raise StackError(f"{part} does not run")

    def shut_down(self) -> None:
        """End supervisord and every process of the stack that is left."""
        with suppress(NoAnswerError):
            self._call("shutdown")
        processes.end_all(self._identity)

    def _request_stop(self, part: str) -> bool:
        """Whether the part is down. Repeat it: a program that is just ending ignores a request."""
        states = {program["statename"] for program in self.programs(part)}
        if states - DOWN:
            self._call("stopProcessGroup", part, False)
        return states <= DOWN

    def _continue(self, part: str) -> bool:
        found = processes.of_part(self._identity, part)
        processes.send(found, signal.SIGCONT)
        return bool(found)

    def _spawn(self, configuration: Path) -> None:
        marks = processes.markers(self._identity, SUPERVISOR, SUPERVISOR)
        with self.log.open("a") as output:
            subprocess.Popen(
                [sys.executable, "-m", "supervisor.supervisord", "-c", str(configuration)],
                env=marks | {"PATH": os.defpath},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=_adopt_orphans,  # noqa: PLW1509 - there are no threads yet
            )
        failure = f"supervisord did not start (see {self.log})"
        wait_until(self.answers, limit_s=START_LIMIT_S, failure=failure)

    def _call(self, method: str, *arguments: object) -> Any:
        proxy = getRPCInterface({"SUPERVISOR_SERVER_URL": f"unix://{self._socket}"})
        try:
            return getattr(proxy.supervisor, method)(*arguments)
        except (OSError, http.client.HTTPException, xmlrpc.client.ProtocolError) as error:
            raise NoAnswerError(f"supervisord does not answer ({method}: {error})") from error
        except xmlrpc.client.Fault as fault:
            raise StackError(f"supervisord refuses {method}{arguments}: {fault}") from fault


def launcher(layout: Layout, program: str) -> list[str]:
    """The command that becomes the program."""
    return [sys.executable, "-m", LAUNCHER, str(layout.state), program]


def _adopt_orphans() -> None:
    """Children of a killed parent become children of supervisord, so that none stays a zombie."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _configuration(plan: Plan, launches: Mapping[str, Iterable[Launch]]) -> str:
    """The whole file. A percent sign is written twice in it."""
    _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    open_files = OPEN_FILES if limit == resource.RLIM_INFINITY else min(limit, OPEN_FILES)
    common = plan.names() | {"open_files": str(open_files)}

    def section(template: str, **names: object) -> str:
        values = {name: str(value).replace("%", "%%") for name, value in (common | names).items()}
        return fill_in((FOLDER / "templates" / "supervisor" / template).read_text(), values)

    text = section("supervisord.conf")
    for part in map(plan.topology.parts.__getitem__, launches):
        names = ",".join(launch.name for launch in launches[part.name])
        text += section("group.conf", part=part.name, programs=names)
        for launch in launches[part.name]:
            text += section(
                "program.conf",
                part=part.name,
                name=launch.name,
                command=shlex.join(launcher(plan.layout, launch.name)),
                revision=launch.revision(),
                steady_after_s=part.steady_after_s,
                stop_limit_s=part.stop_limit_s,
            )
    return text
