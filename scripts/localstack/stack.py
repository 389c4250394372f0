"""The commands: what `up`, `down`, `status` and those for one part do."""

import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from secrets import token_hex

import psutil

from localstack import processes
from localstack.network import Network, can_be_made, choose_network
from localstack.plan import Plan, binary
from localstack.processes import StackError
from localstack.readiness import wait_until_ready
from localstack.settings import Layout, Options, Settings, check_free, load
from localstack.supervisor import UP, Supervisor, launcher
from localstack.topology import DEFAULT, Topology, load_topology

MIGRATE = "migrate"
MIGRATE_LIMIT_S = 600
GROUP_COMMAND_LIMIT_S = 120


@dataclass(frozen=True)
class PartStatus:
    """One line of `status`. Its state is running, stopped, paused, cut or failed.

    Cut: it runs, and the others cannot reach it. Failed: it should run and does not, or it runs
    without supervision.
    """

    part: str
    state: str
    pids: tuple[int, ...]
    host: str
    port: int | None


class Stack:
    """One stack, in whatever state it is."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._supervisor = Supervisor(layout)
        self._network = Network(layout.identity)

    def topology(self) -> Topology:
        """What the last `up` chose, or the default."""
        try:
            return load_topology(load(self.layout).options.topology)
        except StackError:  # `reset` has to work with a damaged file, too
            return load_topology(DEFAULT)

    def up(self, options: Options, *, services_only: bool = False) -> Plan:
        """Start what is down, resume what is paused, replace what is out of date; wait for all.

        What is cut off is connected again.
        """
        self.layout.create()
        plan = Plan(self.layout, self._settings(options))
        services, application = plan.topology.services, plan.topology.application
        launches = {name: plan.launches(name) for name in plan.topology.parts}
        for launch in chain(*launches.values()):
            launch.write(self.layout)
        if plan.settings.network:
            self._network.create(plan.hosts)
        self._supervisor.configure(plan, launches)
        self._start_services(plan)
        wait_until_ready(plan, self._supervisor, services)
        if services_only:
            return plan
        states = {program["statename"] for program in self._supervisor.programs(*application)}
        if not states <= UP:
            self._migrate(plan)
        for name in application:
            self._supervisor.start(name)
        wait_until_ready(plan, self._supervisor, plan.topology.parts)
        return plan

    def plan(self) -> Plan:
        """As the last `up` left it. Raises StackError before the first one."""
        settings = load(self.layout)
        if not settings.ports:
            raise StackError("there is no stack yet: run scripts/stack up")
        return Plan(self.layout, settings)

    def down(self) -> None:
        """Stop everything, the application first; keep the data."""
        if self._supervisor.answers():
            topology = self.topology()
            with suppress(StackError):  # a worker that is cut off would wait for its broker
                self.heal(topology.parts)
            self._supervisor.stop(*topology.application)
            self._supervisor.stop(*topology.services)
        self._supervisor.shut_down()
        self._network.remove()

    def reset(self) -> None:
        """Stop everything, and remove the state folder."""
        self.down()
        self.layout.remove()

    def status(self) -> list[PartStatus]:
        """All parts, in their order."""
        plan = Plan(self.layout, load(self.layout))
        parts = plan.topology.parts.values()
        states = defaultdict(set)
        for program in self._supervisor.programs(*plan.topology.parts):
            states[program["group"]].add(program["statename"])
        found = processes.by_part(self.layout.identity)
        result = []
        for part in parts:
            host, own = plan.hosts[part.name], found.get(part.name, [])
            state = _state(states[part.name], own)
            keys = list(part.port_keys().values())
            result.append(
                PartStatus(
                    part=part.name,
                    state="cut" if state == "running" and self._network.is_cut(host) else state,
                    pids=tuple(process.pid for process in own),
                    host=host,
                    port=plan.settings.ports.get(keys[0]) if keys else None,
                )
            )
        return result

    def start(self, part: str) -> None:
        """Start it, or resume it, as the last `up` configured it; it answers when this returns.

        The application's parts need not be ready: services may be down on purpose.
        """
        plan, supervisor = self.plan(), self.supervisor()
        if self._network.is_cut(plan.hosts[part]):
            raise StackError(f"{part} is cut off: run scripts/stack heal {part} first")
        for launch in plan.launches(part):
            launch.write(self.layout)
        if not plan.settings.network and not processes.of_part(self.layout.identity, part):
            need = f"and {part} needs it: run scripts/stack up, which chooses anew"
            own = plan.topology.parts[part]
            for name in own.ports:
                check_free(plan.address(own, name)[1], need)
        supervisor.start(part)
        wait_until_ready(plan, supervisor, [part], alive=True)

    def wipe(self, part: str) -> None:
        """Kill it and remove its data."""
        if reason := self.topology().parts[part].cannot_be_wiped:
            raise StackError(reason)
        self.supervisor().kill(part)
        shutil.rmtree(self.layout.data(part), ignore_errors=True)

    def cut(self, parts: Iterable[str]) -> None:
        """Cut these parts off from all others and from this machine, not from each other."""
        hosts = self.plan().hosts
        self._need_network()
        self.supervisor()
        self._network.cut([hosts[part] for part in parts])

    def heal(self, parts: Iterable[str]) -> None:
        """Connect these parts again."""
        hosts = self.plan().hosts
        self._need_network()
        self._network.heal([hosts[part] for part in parts])

    def supervisor(self) -> Supervisor:
        """For the commands that concern only processes. Raises StackError when it does not run."""
        if not self._supervisor.answers():
            raise StackError("the stack is not up: run scripts/stack up")
        return self._supervisor

    def _settings(self, options: Options) -> Settings:
        """What was chosen before stays, where it still can."""
        known, topology = load(self.layout), load_topology(options.topology)
        network = known.network
        if known.ports and known.options.topology != topology.name:
            reason = f"{self.layout.state} has the topology {known.options.topology}"
            raise StackError(f"{reason}: remove its data with scripts/stack reset")
        if not known.ports and topology.has_network and can_be_made():
            network = choose_network()
        new = {name: token_hex(32) for part in topology.parts.values() for name in part.secrets}
        settings = Settings(options, known.ports, {**new, **known.secrets}, network)
        settings = settings.with_ports(processes.by_part(self.layout.identity))
        settings.save(self.layout)
        return settings

    def _start_services(self, plan: Plan) -> None:
        """Start them, with the commands that make clusters of them."""
        running = processes.by_part(self.layout.identity)
        kinds = [
            (plan.part(nodes[0].name), [node.name for node in nodes])
            for nodes in plan.topology.kinds().values()
        ]
        for part, nodes in kinds:
            if part.before_all and not running.keys() & nodes:
                name = f"before-{part.kind}"
                _run_once(plan, part.name, name, part.before_all, GROUP_COMMAND_LIMIT_S)
        for name in plan.topology.services:
            self._supervisor.start(name)
        for part, nodes in kinds:
            if part.after_all:
                wait_until_ready(plan, self._supervisor, nodes, alive=True)
                name = f"after-{part.kind}"
                _run_once(plan, part.name, name, part.after_all, GROUP_COMMAND_LIMIT_S)

    def _migrate(self, plan: Plan) -> None:
        owner = plan.topology.kinds()["web"][0].name
        command = [f"{plan.names()['bin']}/python", "manage.py", "migrate", "--noinput"]
        _run_once(plan, owner, MIGRATE, command, MIGRATE_LIMIT_S)

    def _need_network(self) -> None:
        if not self.plan().settings.network:
            reason = "all parts share the loopback interface; a part can be cut off only if root"
            raise StackError(f"{reason} has started a topology with a network, such as cluster")


def _state(names: set[str], found: list[psutil.Process]) -> str:
    if any(process.info["status"] == psutil.STATUS_STOPPED for process in found):
        return "paused" if names else "failed"
    if names <= {"STOPPED", "STOPPING"}:
        return "stopped" if not found else "running" if names else "failed"
    return "running" if names <= UP else "failed"


def _run_once(plan: Plan, owner: str, name: str, command: list[str], limit_s: float) -> None:
    """Run a command to its end as the part would, and name it so. Its log is of that name, too.

    Raises StackError when it fails.
    """
    launch, log = plan.launches(owner)[0], plan.layout.log(name)
    # `status` does not count it, and the part's data is its own affair.
    part = replace(launch.part, name=name, data=launch.part.run, fill=[], scratch="")
    argv = [binary(command[0]), *command[1:]]
    replace(launch, part=part, name=name, argv=argv).write(plan.layout)
    with log.open("w") as output:
        try:
            subprocess.run(
                launcher(plan.layout, name),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=limit_s,
                check=True,
            )
        except (subprocess.SubprocessError, OSError) as error:
            raise StackError(f"{name} failed: see {log}") from error
