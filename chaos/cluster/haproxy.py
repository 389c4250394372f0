"""HAProxy's runtime API (management.txt, "Unix Socket commands"), as an operator uses it."""

import re
import socket
from pathlib import Path

import psutil

from chaos import stack
from chaos.errors import ChaosError

_ANSWER_SECONDS = 5.0
_BACKEND = "database"


def writer() -> str:
    """The database node that gets all connections: the entry of the table names it."""
    table = _ask(f"show table {_BACKEND}")
    entry = re.search(r"server_key=(\S+)", table)
    if entry is None:
        raise ChaosError(f"HAProxy knows no writer: {table}")
    return entry[1]


def take_out(node: str) -> None:
    """Lead no connection to this node, and end those that there are."""
    _ask(f"set server {_BACKEND}/{node} state maint")
    _ask(f"shutdown sessions server {_BACKEND}/{node}")


def put_in(node: str) -> None:
    """Let the node be used when it is needed."""
    _ask(f"set server {_BACKEND}/{node} state ready")


def _ask(command: str) -> str:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_ANSWER_SECONDS)
        connection.connect(str(_socket()))
        connection.sendall(f"{command}\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    return answer.decode()


def _socket() -> Path:
    """Beside the configuration, which the command names."""
    [pid, *_] = stack.pids("haproxy") or [0]
    if not pid:
        raise ChaosError("haproxy does not run")
    return Path(psutil.Process(pid).cmdline()[-1]).with_name("haproxy.sock")
