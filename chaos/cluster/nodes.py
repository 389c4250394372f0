"""The nodes of the stack's clusters: their addresses, and who leads."""

import ctypes
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import redis

from bench.services import parts
from chaos import stack
from chaos.errors import ChaosError
from chaos.waiting import until

_ANSWER_SECONDS = 5.0
_ASKED_EVERY_SECONDS = 6.0
#: A quarter of what a master has when there are three. Its shards are spread over all slots.
_MOVED_SLOTS = "1365"


def is_cluster() -> bool:
    """Whether the stack that is up has clusters."""
    return "redis-1" in parts()


def nodes(engine: str) -> Sequence[str]:
    """The names of the parts that are nodes of this engine."""
    return [name for name in parts() if name.rpartition("-")[0] == engine]


def address(node: str) -> tuple[str, int]:
    """Where clients reach the node."""
    part = parts()[node]
    if part.port is None:
        raise ChaosError(f"{node} has no port")
    return part.host, part.port


def enter_network_of(node: str) -> None:
    """Let this thread open its connections on the node's side of the network.

    setns(2) concerns the calling thread. Raises OSError.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    with network_of(node).open() as file:
        if libc.setns(file.fileno(), 0) != 0:
            raise OSError(ctypes.get_errno(), f"setns to the network of {node} failed")


def network_of(node: str) -> Path:
    """The network namespace of the node's processes."""
    pids = stack.pids(node)
    if not pids:
        raise ChaosError(f"{node} does not run")
    return Path(f"/proc/{pids[0]}/ns/net")


def restart(node: str) -> None:
    """SIGTERM, start, and wait until it serves clients again. Raises ChaosError."""
    stack.do("stop", node)
    stack.do("start", node)


class RedisNodes:
    """The nodes of the Redis Cluster, by the names of their parts."""

    def __init__(self) -> None:
        self._password = urlsplit(os.environ["REDIS_URL"]).password or ""
        found = {name: part for name, part in parts().items() if name.startswith("redis-")}
        self._clients: Mapping[str, Any] = {
            name: redis.Redis(
                part.host, part.port or 0, password=self._password, socket_timeout=_ANSWER_SECONDS
            )
            for name, part in found.items()
        }
        self._names = {(part.host, part.port): name for name, part in found.items()}

    def client(self, node: str) -> Any:
        """A client of this node."""
        return self._clients[node]

    def masters(self) -> Mapping[str, str]:
        """The masters with the replica of each."""
        roles = {name: client.info("replication") for name, client in self._clients.items()}
        replicas = {
            self._names[str(role["master_host"]), int(role["master_port"])]: name
            for name, role in roles.items()
            if role["role"] == "slave"
        }
        masters = [name for name, role in roles.items() if role["role"] == "master"]
        if sorted(masters) != sorted(replicas):
            raise ChaosError(f"not each of {', '.join(masters)} has a replica")
        return replicas

    def fail_over(self, replica: str) -> None:
        """Let a replica take over from its master, which is well. Raises ChaosError."""
        until(self.is_well, "each shard has its replica")
        asked_at = float("-inf")

        def has_taken_over() -> bool:
            nonlocal asked_at
            if self.client(replica).info("replication")["role"] == "master":
                return True
            # Redis gives up after 5 s if the nodes do not agree in time.
            if time.monotonic() > asked_at + _ASKED_EVERY_SECONDS:
                asked_at = time.monotonic()
                self.client(replica).execute_command("CLUSTER FAILOVER")
            return False

        until(has_taken_over, f"{replica} is the master")
        until(self.is_well, "each shard has its replica again")

    def is_well(self) -> bool:
        """Whether each master has a replica that follows it."""
        try:
            masters = self.masters()
        except (ChaosError, redis.RedisError):
            return False
        return all(
            self.client(one).info("replication")["min_slaves_good_slaves"] for one in masters
        )

    def move_slots(self, source: str, target: str) -> None:
        """Move a part of the slots of one master, and the keys in them, to another."""
        ids = [self.client(node).execute_command("CLUSTER MYID") for node in (source, target)]
        from_id, to_id = (one.decode() if isinstance(one, bytes) else str(one) for one in ids)
        host, port = address(source)
        result = stack.run(
            *("redis-cli", "--cluster", "reshard", f"{host}:{port}", "--cluster-yes"),
            *("--cluster-from", from_id, "--cluster-to", to_id, "--cluster-slots", _MOVED_SLOTS),
            environment={"REDISCLI_AUTH": self._password},
        )
        if result.returncode != 0:
            raise ChaosError(f"redis-cli: {result.stdout[-2000:]}{result.stderr}")
