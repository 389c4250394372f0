"""The commands: what `up`, `down`, `status` and those for one part do."""

import shutil
import subprocess
from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import chain
from secrets import token_hex

import psutil

from localstack import processes
from localstack.plan import APPLICATION, SERVICES, TOPOLOGY, Plan
from localstack.processes import StackError
from localstack.readiness import wait_until_ready
from localstack.settings import Layout, Options, Settings, check_free, load
from localstack.supervisor import UP, Supervisor, launcher

MIGRATE = "migrate"
MIGRATE_LIMIT_S = 600


@dataclass(frozen=True)
class PartStatus:
    """One line of `status`. Its state is running, stopped, paused or failed.

    Failed: it should run and does not, or it runs without supervision.
    """

    part: str
    state: str
    pids: tuple[int, ...]
    port: int | None


class Stack:
    """One stack, in whatever state it is."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._supervisor = Supervisor(layout)

    def up(self, options: Options) -> Settings:
        """Start what is down, resume what is paused, replace what is out of date; wait for all."""
        self._layout.create()
        settings = self._settings(options)
        plan = Plan(self._layout, settings)
        launches = {name: plan.launches(name) for name in TOPOLOGY}
        for launch in chain(*launches.values()):
            launch.write(self._layout)
        self._supervisor.configure(plan, launches)
        for name in SERVICES:
            self._supervisor.start(name)
        wait_until_ready(plan, self._supervisor, SERVICES)
        states = {program["statename"] for program in self._supervisor.programs(*APPLICATION)}
        if not states <= UP:
            _migrate(plan)
        for name in APPLICATION:
            self._supervisor.start(name)
        wait_until_ready(plan, self._supervisor, TOPOLOGY)
        return settings

    def plan(self) -> Plan:
        """As the last `up` left it. Raises StackError before the first one."""
        settings = load(self._layout)
        if not settings.ports:
            raise StackError("there is no stack yet: run scripts/stack up")
        return Plan(self._layout, settings)

    def down(self) -> None:
        """Stop everything, the application first; keep the data."""
        if self._supervisor.answers():
            self._supervisor.stop(*APPLICATION)
            self._supervisor.stop(*SERVICES)
        self._supervisor.shut_down()

    def reset(self) -> None:
        """Stop everything, and remove the state folder."""
        self.down()
        self._layout.remove()

    def status(self) -> list[PartStatus]:
        """All parts, in their order."""
        settings = load(self._layout)
        states = defaultdict(set)
        for program in self._supervisor.programs(*TOPOLOGY):
            states[program["group"]].add(program["statename"])
        found = processes.by_part(self._layout.identity)
        return [
            PartStatus(
                part=part.name,
                state=_state(states[part.name], found.get(part.name, [])),
                pids=tuple(process.pid for process in found.get(part.name, [])),
                port=settings.ports.get(part.ports[0]) if part.ports else None,
            )
            for part in TOPOLOGY.values()
        ]

    def start(self, part: str) -> None:
        """Start it, or resume it, as the last `up` configured it; it answers when this returns.

        The application's parts need not be ready: services may be down on purpose.
        """
        plan, supervisor = self.plan(), self.supervisor()
        for launch in plan.launches(part):
            launch.write(self._layout)
        if not processes.of_part(self._layout.identity, part):
            need = f"and {part} needs it: run scripts/stack up, which chooses anew"
            for name in TOPOLOGY[part].ports:
                check_free(plan.settings.ports[name], need)
        supervisor.start(part)
        wait_until_ready(plan, supervisor, [part], alive=True)

    def wipe(self, part: str) -> None:
        """Kill it and remove its data."""
        if reason := TOPOLOGY[part].cannot_be_wiped:
            raise StackError(reason)
        self.supervisor().kill(part)
        shutil.rmtree(self._layout.data(part), ignore_errors=True)

    def supervisor(self) -> Supervisor:
        """For the commands that concern only processes. Raises StackError when it does not run."""
        if not self._supervisor.answers():
            raise StackError("the stack is not up: run scripts/stack up")
        return self._supervisor

    def _settings(self, options: Options) -> Settings:
        """What was chosen before stays, where it still can."""
        known = load(self._layout)
        new = {name: token_hex(32) for part in TOPOLOGY.values() for name in part.secrets}
        wanted = {part.name: part.ports for part in TOPOLOGY.values()}
        running = processes.by_part(self._layout.identity)
        settings = Settings(options, known.ports, {**new, **known.secrets})
        settings = settings.with_ports(wanted, running)
        settings.save(self._layout)
        return settings


def _state(names: set[str], found: list[psutil.Process]) -> str:
    if any(process.info["status"] == psutil.STATUS_STOPPED for process in found):
        return "paused" if names else "failed"
    if names <= {"STOPPED", "STOPPING"}:
        return "stopped" if not found else "running" if names else "failed"
    return "running" if names <= UP else "failed"


def _migrate(plan: Plan) -> None:
    """`manage.py migrate` with the environment of the web server, to its end."""
    web, log = plan.launches("web")[0], plan.layout.log(MIGRATE)
    launch = replace(web, name=MIGRATE, argv=[web.argv[0], "manage.py", "migrate", "--noinput"])
    launch.write(plan.layout)
    with log.open("w") as output:
        try:
            subprocess.run(
                launcher(plan.layout, MIGRATE),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=MIGRATE_LIMIT_S,
                check=True,
            )
        except (subprocess.SubprocessError, OSError) as error:
            raise StackError(f"manage.py migrate failed: see {log}") from error
