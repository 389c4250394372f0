"""Whether parts are ready: probes, and waiting for them.

A probe is one attempt on the part's own protocol, with a limit. Its first arguments are the plan
and the part; the others are those of its entry in the topology's file.
"""

import fnmatch
import socket
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from localstack import processes
from localstack.plan import Plan, binary
from localstack.processes import StackError
from localstack.supervisor import LAUNCHER, UP, Supervisor
from localstack.topology import Part

TIMEOUT_S = 5
COMMAND_LIMIT_S = 60
MOST_STARTS = 2
INTERVAL_S = 0.1
ESTABLISHED = "01"  # in /proc/net/tcp
CLEAR_LINE = "\r\x1b[K"


def replies(plan: Plan, part: Part, port: str, *talk: str) -> bool:
    """The talk is a greeting and its answer, or what the server says first; `?` is any byte."""
    *greeting, answer = talk
    address = plan.address(part, port)
    with suppress(OSError), socket.create_connection(address, TIMEOUT_S) as connection:
        connection.sendall("".join(greeting).encode())
        received = connection.recv(len(answer), socket.MSG_WAITALL)
        return fnmatch.fnmatchcase(received.decode("latin-1"), answer)
    return False


def succeeds(_plan: Plan, _part: Part, program: str, *arguments: str) -> bool:
    """The command ends with status 0."""
    command = [binary(program), *arguments]
    done = subprocess.run(command, capture_output=True, timeout=COMMAND_LIMIT_S, check=False)
    return done.returncode == 0


def is_connected_to(plan: Plan, part: Part, *ports: str) -> bool:
    """Each program of the part has a connection to a server on a port of one of these names.

    That is not asked for while no server answers on the first of them.
    """
    servers = plan.topology.parts.values()
    if not any(ports[0] in server.ports and ask(plan, server.name) for server in servers):
        return True
    found = processes.by_program(plan.layout.identity)
    numbers = {
        plan.address(server, port)[1]
        for server in servers
        for port in ports
        if port in server.ports
    }
    return all(
        any(_has_connection(process, numbers) for process in found.get(name, ()))
        for name in plan.programs(part)
    )


def ask(plan: Plan, name: str, *, alive: bool = False) -> bool:
    """What the probe of the part says; with `alive`, its probe for signs of life."""
    part = plan.part(name)
    if not part.probe:
        return True
    probe, *arguments = (alive and part.alive_probe) or part.probe
    return PROBES[probe](plan, part, *arguments)


PROBES: dict[str, Callable[..., bool]] = {
    probe.__name__: probe for probe in (replies, succeeds, is_connected_to)
}


def _has_connection(process: psutil.Process, ports: Collection[int]) -> bool:
    """Whether it has a connection to one of these ports of a server, in its own network namespace.

    psutil would look into the namespace of this process.
    """
    folder = Path(f"/proc/{process.pid}")
    with suppress(OSError):
        files = {str(file.readlink()) for file in (folder / "fd").iterdir()}
        for line in (folder / "net" / "tcp").read_text().splitlines()[1:]:
            columns = line.split()
            remote, state, inode = columns[2], columns[3], columns[9]
            is_ours = state == ESTABLISHED and f"socket:[{inode}]" in files
            if is_ours and int(remote.rpartition(":")[2], 16) in ports:
                return True
    return False


def wait_until_ready(
    plan: Plan, supervisor: Supervisor, names: Iterable[str], *, alive: bool = False
) -> None:
    """Return when all are ready, or with `alive` show signs of life.

    Raises StackError for the first part that ended twice by itself or exceeded its limit.
    """
    layout = plan.layout
    starts: dict[str, set[int]] = defaultdict(set)
    began = time.monotonic()

    def are_up(part: Part, programs: list[dict[str, Any]]) -> bool:
        if not programs:
            raise StackError(f"{part.name} has lost its supervisor: see {supervisor.log}")
        for program in programs:
            name, state = program["name"], program["statename"]
            starts[name] |= {program["start"]} - {0}
            if len(starts[name]) > MOST_STARTS or state == "FATAL":
                raise StackError(f"{part.name} keeps ending by itself: see {layout.log(name)}")
        if time.monotonic() - began > part.ready_limit_s:
            logs = " and ".join(str(layout.log(program["name"])) for program in programs)
            raise StackError(f"{part.name} is not ready after {part.ready_limit_s} s: see {logs}")
        wanted = UP if part.probe else {"RUNNING"}
        return {program["statename"] for program in programs} <= wanted

    def not_ready(parts: list[Part]) -> Iterator[Part]:
        programs = supervisor.programs(*(part.name for part in parts))
        up = [
            part for part in parts if are_up(part, [p for p in programs if p["group"] == part.name])
        ]
        found = processes.by_part(layout.identity)
        for part in parts:
            # While the launcher is at work, an answer may come from an earlier life of the part.
            commands = [process.info["cmdline"] or () for process in found.get(part.name, [])]
            is_launching = any(LAUNCHER in command for command in commands)
            if part not in up or is_launching or not ask(plan, part.name, alive=alive):
                yield part

    pending = [plan.topology.parts[name] for name in names]
    try:
        while pending := list(not_ready(pending)):
            _show_progress(part.name for part in pending)
            time.sleep(INTERVAL_S)
    finally:
        _show_progress([])


def _show_progress(names: Iterable[str]) -> None:
    """Replace the line on a terminal, if there is one; no names clear it."""
    if sys.stderr.isatty():
        text = ", ".join(names)
        text = f"waiting for {text}" if text else ""
        print(f"{CLEAR_LINE}{text}", end="", file=sys.stderr, flush=True)
