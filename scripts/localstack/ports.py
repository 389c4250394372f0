"""Choosing ports on the loopback interface.

Chosen once and kept; a port that a stranger holds at the next `up` is replaced. The web server's
is asked for by the caller, so there a stranger is an error.
"""

import random
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

import psutil

from localstack.errors import StackError
from localstack.parts import Part
from localstack.settings import Ports

LOWEST = 20000
EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
TRIES = 2000

PORTS_OF = {
    Part.MARIADB: ("mariadb",),
    Part.REDIS: ("redis",),
    Part.RABBITMQ: ("rabbitmq", "rabbitmq_distribution", "rabbitmq_epmd"),
    Part.ELASTICSEARCH: ("elasticsearch", "elasticsearch_transport"),
    Part.WEB: ("web",),
}


def choose(ports: Ports, requested_web: int, runs: Callable[[Part], bool]) -> Ports:
    """Keep what is in use by us or free, and choose the rest anew."""
    chosen = asdict(ports)
    for part, names in PORTS_OF.items():
        if part is Part.WEB and requested_web:
            continue
        for name in names:
            if not chosen[name] or not (runs(part) or is_free(chosen[name])):
                chosen[name] = _free_port(taken=set(chosen.values()))
    if requested_web:
        _check_web(requested_web, ours=ports.web == requested_web and runs(Part.WEB))
        chosen["web"] = requested_web
    return replace(ports, **chosen)


def main_port(ports: Ports, part: Part) -> int | None:
    """The one that clients of this part use."""
    names = PORTS_OF.get(part)
    return asdict(ports)[names[0]] if names else None


def check_free(ports: Ports, part: Part) -> None:
    """For a start on the ports that clients already know."""
    for name in PORTS_OF.get(part, ()):
        _check(
            asdict(ports)[name], f"and {part} needs it: run scripts/stack up, which chooses anew"
        )


def is_free(port: int) -> bool:
    """Nobody listens there, on this or on all addresses; connections that linger don't count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
    return True


def _check_web(port: int, *, ours: bool) -> None:
    if not ours:
        _check(port, "so the web server cannot have it: give another --port (0: any free one)")


def _check(port: int, consequence: str) -> None:
    if not is_free(port):
        raise StackError(f"port {port} is taken by {_holder(port)}, {consequence}")


def _holder(port: int) -> str:
    with suppress(psutil.Error, OSError):
        for connection in psutil.net_connections(kind="tcp"):
            if connection.status != psutil.CONN_LISTEN or connection.pid is None:
                continue
            if connection.laddr and connection.laddr.port == port:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return "another process"


def _free_port(taken: set[int]) -> int:
    """Stay below the range that the kernel gives to outgoing connections.

    One of those could sit on a port of ours while its server is down, or connect to itself there.
    """
    highest = max(int(EPHEMERAL_RANGE.read_text().split()[0]), LOWEST + TRIES)
    for port in random.sample(range(LOWEST, highest), TRIES):
        if port not in taken and is_free(port):
            return port
    raise StackError(f"no free port between {LOWEST} and {highest}")
