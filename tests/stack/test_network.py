"""Parts of a stack reach each other, unless they are cut off, and nothing is left in the end."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from secrets import token_hex

import pytest
from localstack.network import Network, can_be_made, choose_network

from tests.live.servers import eventually

pytestmark = pytest.mark.stack

PORT = 4000
PARTS = ["a-1", "a-2", "b"]
SERVE = "import socket, sys\nserver = socket.create_server((sys.argv[1], int(sys.argv[2])))\n"
SERVE += "while True: server.accept()[0].close()"
CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 0.5)"


class Hosts:
    """A network with a server in each namespace."""

    def __init__(self) -> None:
        self.network = Network(token_hex(8))
        prefix = choose_network()
        self.hosts = {part: f"{prefix}.{number}" for number, part in enumerate(PARTS, 2)}

    @contextmanager
    def serve(self) -> Iterator[None]:
        with ExitStack() as stack:
            stack.callback(self.network.remove)
            self.network.create(self.hosts)
            for part, host in self.hosts.items():
                command = [sys.executable, "-c", SERVE, host, str(PORT)]
                server = subprocess.Popen(["ip", "netns", "exec", self._namespace(part), *command])
                stack.callback(server.wait, timeout=10)
                stack.callback(server.kill)
                eventually(partial(self.reaches, "", part), 10, "it listens")
            yield

    def reaches(self, source: str, target: str) -> bool:
        """Whether the part, or this machine, can connect to the target."""
        inside = ["ip", "netns", "exec", self._namespace(source)] if source else []
        command = [*inside, sys.executable, "-c", CONNECT, self.hosts[target], str(PORT)]
        return subprocess.run(command, capture_output=True, timeout=10, check=False).returncode == 0

    def _namespace(self, part: str) -> str:
        return self.network.namespace(part)


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    if not can_be_made():
        pytest.skip("only root can make interfaces")
    made = Hosts()
    with made.serve():
        yield made


def interfaces() -> set[str]:
    folders = (Path("/sys/class/net"), Path("/run/netns"))
    return {path.name for folder in folders for path in folder.glob("*")}


def test_parts_that_are_cut_off_together_reach_each_other_alone(hosts: Hosts) -> None:
    assert hosts.reaches("a-1", "b")

    hosts.network.cut([hosts.hosts["a-1"], hosts.hosts["a-2"]])
    assert hosts.reaches("a-1", "a-2")
    assert not hosts.reaches("a-1", "b")
    assert not hosts.reaches("b", "a-2")
    assert not hosts.reaches("", "a-1")
    assert hosts.reaches("", "b")

    hosts.network.heal(hosts.hosts.values())
    assert hosts.reaches("b", "a-1")
    assert hosts.reaches("", "a-2")


def test_parts_that_are_cut_off_one_after_the_other_are_alone(hosts: Hosts) -> None:
    for part in ("a-1", "a-2"):
        hosts.network.cut([hosts.hosts[part]])

    assert not hosts.reaches("a-1", "a-2")


def test_two_networks_share_nothing(hosts: Hosts) -> None:
    before = interfaces()
    other = Hosts()

    with other.serve():
        assert not {*other.hosts.values()} & {*hosts.hosts.values()}

    assert interfaces() == before
    assert hosts.reaches("a-1", "b")


def test_what_an_interrupted_run_left_is_completed(hosts: Hosts) -> None:
    cable = f"{hosts.network.namespace('')}{hosts.hosts['b'].rpartition('.')[2]}"
    subprocess.run(["ip", "link", "set", cable, "nomaster"], check=True, timeout=10)
    assert not hosts.reaches("a-1", "b")

    hosts.network.create(hosts.hosts)

    assert Path("/sys/class/net", cable, "master").exists()
