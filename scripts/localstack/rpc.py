"""Calls to supervisord, by XML-RPC over its unix socket."""

import http.client
import socket
import xmlrpc.client
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localstack.errors import StackError
from localstack.parts import Part

TIMEOUT_S = 10
SPAWN_ERROR = 50
ALREADY_STARTED = 60
NOT_RUNNING = 70
DONT_WAIT = False


class NoAnswer(StackError):
    """supervisord does not run, or is not well."""


@dataclass(frozen=True)
class ProgramState:
    """What supervisord says of one program."""

    part: Part
    name: str
    state: str
    started: int

    @property
    def full_name(self) -> str:
        """As supervisord calls it."""
        return f"{self.part}:{self.name}"


class Rpc:
    """A client; each method is one call."""

    def __init__(self, path: Path) -> None:
        """Nothing is connected before the first call."""
        self._proxy = xmlrpc.client.ServerProxy("http://localhost", transport=_Transport(path))

    def states(self) -> list[ProgramState]:
        """Every program, in the order of the configuration."""
        return [
            ProgramState(
                part=Part(info["group"]),
                name=info["name"],
                state=info["statename"],
                started=info["start"],
            )
            for info in self._call("getAllProcessInfo")
        ]

    def reload(self) -> tuple[list[str], list[str], list[str]]:
        """Read the configuration anew: which parts were added, changed, removed."""
        [[added, changed, removed]] = self._call("reloadConfig")
        return added, changed, removed

    def add(self, part: str) -> None:
        """Take a part of the configuration into service, not started."""
        self._call("addProcessGroup", part)

    def remove(self, part: str) -> None:
        """Forget a part, all of whose programs are stopped."""
        self._call("removeProcessGroup", part)

    def start(self, full_name: str) -> None:
        """Ask for a program to run, from now on; one that ends at once is tried again."""
        harmless = (ALREADY_STARTED, SPAWN_ERROR)
        self._call("startProcess", full_name, DONT_WAIT, harmless=harmless)

    def stop(self, full_name: str) -> None:
        """Ask for a program not to run any more; it gets SIGTERM."""
        self._call("stopProcess", full_name, DONT_WAIT, harmless=(NOT_RUNNING,))

    def shut_down(self) -> None:
        """Ask supervisord to end."""
        self._call("shutdown")

    def _call(self, method: str, *arguments: object, harmless: tuple[int, ...] = ()) -> Any:
        try:
            return getattr(self._proxy, f"supervisor.{method}")(*arguments)
        except (OSError, http.client.HTTPException, xmlrpc.client.ProtocolError) as error:
            raise NoAnswer(f"supervisord does not answer ({method}: {error})") from error
        except xmlrpc.client.Fault as fault:
            if fault.faultCode in harmless:
                return None
            raise StackError(f"supervisord refuses {method}{arguments}: {fault}") from fault


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: object) -> http.client.HTTPConnection:
        return _Connection(self._path)
