"""What belongs to one stack: its state folder, its lock, its ports, passwords and options.

All files are in the state folder. The path of this folder is the stack's identity: it tells the
processes of one stack from those of another. Ports, passwords and the options of `up` are
remembered from one `up` to the next.
"""

import fcntl
import hashlib
import json
import os
import random
import shutil
import socket
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Self

import psutil

from localstack.processes import StackError, wait_until
from localstack.topology import DEFAULT, load_topology

SHARED_STATE = Path("/var/lib/chatsystem-stack")
LONGEST_SOCKET_PATH = 107
LONGEST_SOCKET_NAME = "run/supervisor.sock.1234567"
LOCK_LIMIT_S = 900
LOWEST_PORT = 20000
PORTS_TRIED = 2000
# Connections that this machine opens have ports of this range. One of them could take a port of the
# stack while its server is down, or connect to itself there.
EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


class Layout:
    """The checkout with the code to run, and the state folder with its content."""

    def __init__(self, checkout: Path, state: Path) -> None:
        self.checkout = checkout
        self.state = state
        # The same for the same state folder, even after its content was lost.
        self.identity = hashlib.sha256(str(state).encode()).hexdigest()[:16]
        # Sockets, configuration and other files that each `up` writes again.
        self.run = state / "run"

    def data(self, part: str) -> Path:
        """The folder that `wipe` removes."""
        return self.state / "data" / part

    def log(self, program: str) -> Path:
        """The output of a program."""
        return self.state / "logs" / f"{program}.log"

    def launch_file(self, program: str) -> Path:
        """How a program is started, for the launcher."""
        return self.run / "programs" / f"{program}.json"

    def check(self) -> None:
        """Raise StackError when no stack could work in this state folder; make nothing."""
        if len(os.fsencode(self.state / LONGEST_SOCKET_NAME)) > LONGEST_SOCKET_PATH:
            raise StackError(f"{self.state} is too long for unix sockets: set a shorter STACK_DIR")
        folders = [folder for folder in self.state.parents if folder.exists()]
        closed = [folder for folder in folders if not folder.stat().st_mode & 0o001]
        if closed and is_root():
            reason = f"Elasticsearch runs as another user, who cannot pass through {closed[-1]}"
            raise StackError(f"{reason}: set STACK_DIR to a folder that everyone can reach")

    def create(self) -> None:
        """Make the folders. Other users can pass through those with services, but not list them."""
        shared = [SHARED_STATE] if self.state.parent == SHARED_STATE else []
        for folder in [*shared, self.state, self.run, self.state / "data"]:
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o711)
        for folder in (self.state / "logs", self.run / "programs"):
            folder.mkdir(mode=0o700, exist_ok=True)

    def remove(self) -> None:
        """Remove the state folder."""
        shutil.rmtree(self.state)
        if self.state.parent == SHARED_STATE:
            with suppress(OSError):  # other stacks are there
                SHARED_STATE.rmdir()

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the stack's lock during the block; the kernel releases it when the process ends.

        Raises StackError when another command holds it for too long.
        """
        path = self.state / "lock"
        held: list[int] = []

        def take() -> bool:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            with suppress(BlockingIOError, FileNotFoundError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # `reset` may have removed the file after it was opened here.
                if os.path.samestat(os.fstat(descriptor), path.stat()):
                    held.append(descriptor)
                    return True
            os.close(descriptor)
            return False

        wait_until(take, limit_s=LOCK_LIMIT_S, failure=f"another command did not release {path}")
        try:
            yield
        finally:
            os.close(held[0])


@dataclass(frozen=True)
class Options:
    """The options of `up`."""

    port: int = 8000
    web: int = 2
    workers: int = 1
    extra: Mapping[str, str] = field(default_factory=dict)  # settings of the application
    elasticsearch_heap: str = ""
    elasticsearch_option: str = ""  # one more of its Java virtual machine
    path: str = ""  # folders whose executables are used before those of the system
    topology: str = DEFAULT


@dataclass(frozen=True)
class Settings:
    """The content of the settings file."""

    options: Options = field(default_factory=Options)
    ports: Mapping[str, int] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    network: str = ""  # the first three numbers of the addresses; empty: the loopback address

    def with_ports(self, running: Collection[str]) -> Self:
        """Keep the ports that our running parts use or that are free; choose the others anew.

        All are free in namespaces of our own. Raises StackError when another process has the port
        that the caller asked for.
        """
        topology = load_topology(self.options.topology)
        owners: dict[str, set[str]] = {}
        for part in topology.parts.values():
            for key in part.port_keys().values():
                owners.setdefault(key, set()).add(part.name)
        chosen = {**self.ports}
        for key, parts in owners.items():
            asked = self.options.port if key == topology.front else 0
            known = self.ports.get(key, 0)
            port = asked or known
            is_ours = bool(self.network or (parts.intersection(running) and port == known))
            if asked and not is_ours:
                need = "so the web server cannot have it: give another --port (0: any free one)"
                check_free(port, need)
            elif not port or not (is_ours or is_free(port)):
                port = _free_port({*chosen.values()})
            chosen[key] = port
        return replace(self, ports=chosen)

    def save(self, layout: Layout) -> None:
        """Replace the file."""
        write_private(layout.state / "settings.json", json.dumps(asdict(self), indent=1))


def load(layout: Layout) -> Settings:
    """The saved settings, empty before the first `up`. Raises StackError for a damaged file."""
    path = layout.state / "settings.json"
    try:
        content = json.loads(path.read_text())
        return Settings(**content | {"options": Options(**content["options"])})
    except FileNotFoundError:
        return Settings()
    except (ValueError, KeyError, TypeError) as error:
        message = f"{path} is damaged ({error}): remove it with scripts/stack reset"
        raise StackError(message) from error


def find_layout() -> Layout:
    """The stack of this checkout, or the one that STACK_DIR names."""
    checkout = Path(__file__).resolve().parents[2]
    if chosen := os.environ.get("STACK_DIR"):
        return Layout(checkout, Path(chosen).absolute().resolve())
    own_name = hashlib.sha256(str(checkout).encode()).hexdigest()[:12]
    return Layout(checkout, SHARED_STATE / own_name if is_root() else checkout / ".stack")


def is_root() -> bool:
    """Whether services can, or must, run as users of their own."""
    return os.geteuid() == 0


def write_private(path: Path, text: str) -> None:
    """Replace the file as a whole; only its owner can read it."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(path)


def is_free(port: int) -> bool:
    """Whether a server could listen there now; connections that linger do not matter."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
    return True


def check_free(port: int, consequence: str) -> None:
    """Raise StackError, with the process that listens there, when the port is taken."""
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


def _free_port(taken: Collection[int]) -> int:
    highest = max(int(EPHEMERAL_RANGE.read_text().split()[0]), LOWEST_PORT + PORTS_TRIED)
    for port in random.sample(range(LOWEST_PORT, highest), PORTS_TRIED):
        if port not in taken and is_free(port):
            return port
    raise StackError(f"no free port between {LOWEST_PORT} and {highest}")
