"""The network of a stack whose parts have addresses of their own: namespaces, cables and bridges.

Each part has a network namespace, with a cable (a veth pair) to the stack's bridge, on which this
machine has the first address. To cut parts off is to plug their cables into another bridge, an
island: its parts still reach each other, and nothing else. Needs root and the command `ip`.

All names begin with the stack's own prefix, by which they are found again and removed.
"""

import ctypes
import ipaddress
import json
import os
import random
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from localstack.processes import StackError
from localstack.settings import is_root

NAMESPACES = Path("/run/netns")
INTERFACES = Path("/sys/class/net")
COMMAND_LIMIT_S = 20
NETWORKS_TRIED = 100
LONGEST_PREFIX = 10  # the kernel takes interface names of 15 letters
LEAVE_LOOPBACK = "/proc/sys/net/ipv4/conf/eth0/route_localnet"
NO_ANSWERS = "8"  # arp_ignore: to no question for an address of this machine


class Network:
    """The network of the stack with this identity, whether it exists or not."""

    def __init__(self, identity: str) -> None:
        self._prefix = f"cs{identity}"[:LONGEST_PREFIX]
        self._bridge = f"{self._prefix}b"

    def namespace(self, part: str) -> str:
        """The name of the part's namespace, for `ip netns exec`."""
        return f"{self._prefix}-{part}"

    def create(self, hosts: Mapping[str, str]) -> None:
        """Make what is missing for these parts with their addresses; heal what is cut off."""
        network = next(iter(hosts.values())).rpartition(".")[0]
        if not (INTERFACES / self._bridge).exists():
            if not _is_free(network):
                reason = f"{network}.0/24, the network of the stack, is in use on this machine"
                raise StackError(f"{reason}: remove the data with scripts/stack reset")
            _ip("link", "add", self._bridge, "type", "bridge")
        _ip("address", "replace", f"{network}.1/24", "dev", self._bridge)
        _ip("link", "set", self._bridge, "up")
        for part, host in hosts.items():
            if not self._bridge_of(host):
                self._connect(part, host)
        self.heal(hosts.values())

    def remove(self) -> None:
        """Remove all that `create` and `cut` made."""
        for interface in _names(INTERFACES, self._prefix):
            _ip("link", "delete", interface)
        for namespace in _names(NAMESPACES, f"{self._prefix}-"):
            _ip("netns", "delete", namespace)

    def cut(self, hosts: Iterable[str]) -> None:
        """Move these parts to an island of their own."""
        number = 1
        while (INTERFACES / f"{self._prefix}i{number}").exists():
            number += 1
        island = f"{self._prefix}i{number}"
        _ip("link", "add", island, "type", "bridge")
        # Otherwise, this machine would answer for its own address there, too.
        Path(f"/proc/sys/net/ipv4/conf/{island}/arp_ignore").write_text(NO_ANSWERS)
        _ip("link", "set", island, "up")
        self._move(hosts, island)

    def heal(self, hosts: Iterable[str]) -> None:
        """Move these parts back to the stack's bridge."""
        self._move((host for host in hosts if self.is_cut(host)), self._bridge)

    def is_cut(self, host: str) -> bool:
        """Whether the part with this address is on an island."""
        return self._bridge_of(host) not in {"", self._bridge}

    def _move(self, hosts: Iterable[str], bridge: str) -> None:
        for host in hosts:
            _ip("link", "set", self._cable(host), "master", bridge)
        for island in _names(INTERFACES, f"{self._prefix}i"):
            if not any((INTERFACES / island / "brif").iterdir()):
                _ip("link", "delete", island)

    def _connect(self, part: str, host: str) -> None:
        """Replace what an interrupted run left. The bridge comes last: all is there then."""
        namespace, cable = self.namespace(part), self._cable(host)
        for path, kind in ((NAMESPACES / namespace, "netns"), (INTERFACES / cable, "link")):
            if path.exists():
                _ip(kind, "delete", path.name)
        _ip("netns", "add", namespace)
        _ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", namespace)
        for interface in ("lo", "eth0"):
            _ip("-n", namespace, "link", "set", interface, "up")
        # Of the loopback range, one address stays the part's own; the others lead to the bridge.
        _ip("-n", namespace, "address", "add", "127.0.0.1/32", "dev", "lo")
        _ip("-n", namespace, "address", "delete", "127.0.0.1/8", "dev", "lo")
        _ip("netns", "exec", namespace, "sh", "-c", f"echo 1 >{LEAVE_LOOPBACK}")
        for address in (host, inner_host(host)):
            _ip("-n", namespace, "address", "add", f"{address}/24", "dev", "eth0")
        _ip("link", "set", cable, "master", self._bridge, "up")

    def _cable(self, host: str) -> str:
        return f"{self._prefix}-{host.rpartition('.')[2]}"

    def _bridge_of(self, host: str) -> str:
        with suppress(OSError):
            return (INTERFACES / self._cable(host) / "master").readlink().name
        return ""


def inner_host(host: str) -> str:
    """The part's second address, for the other parts alone.

    Servers that check the machine before they listen to the world take it for the loopback address.
    """
    return f"127.77.0.{host.rpartition('.')[2]}"


def can_be_made() -> bool:
    """Whether this user may make interfaces: also root may not in some containers."""
    if not is_root():
        return False
    probe = f"csprobe{os.getpid()}"[:15]
    with suppress(StackError):
        _ip("link", "add", probe, "type", "bridge")
        _ip("link", "delete", probe)
        return True
    return False


def choose_network() -> str:
    """The first three numbers of a private network that this machine does not know."""
    for _ in range(NETWORKS_TRIED):
        network = f"10.{random.randrange(256)}.{random.randrange(256)}"  # noqa: S311 - no secret
        if _is_free(network):
            return network
    raise StackError("no private network 10.x.y.0/24 is free on this machine")


def enter(namespace: str) -> None:
    """Move this process to the namespace; it stays there when it becomes another program."""
    libc = ctypes.CDLL(None, use_errno=True)
    with (NAMESPACES / namespace).open() as file:
        if libc.setns(file.fileno(), 0) != 0:
            raise OSError(ctypes.get_errno(), f"setns to {namespace} failed")


def _is_free(network: str) -> bool:
    """Whether no route of this machine overlaps with it; the default route leads everywhere."""
    chosen = ipaddress.ip_network(f"{network}.0/24")
    used = [route["dst"] for route in json.loads(_ip("-json", "-4", "route"))]
    networks = [ipaddress.ip_network(each, strict=False) for each in used if each != "default"]
    return not any(chosen.overlaps(each) for each in networks)


def _names(folder: Path, prefix: str) -> list[str]:
    return sorted(path.name for path in folder.glob(f"{prefix}*"))


def _ip(*arguments: str) -> str:
    """Run the command. Raises StackError when it fails."""
    command = ["ip", *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=COMMAND_LIMIT_S, check=True
        )
    except FileNotFoundError as error:
        raise StackError("ip is not installed: run scripts/provision cluster") from error
    except subprocess.SubprocessError as error:
        reason = getattr(error, "stderr", "") or error
        raise StackError(f"{' '.join(command)} failed: {reason}".strip()) from error
    return done.stdout
