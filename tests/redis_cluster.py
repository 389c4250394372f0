"""A real Redis Cluster for one test: three masters, each with a replica."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import redis
from pytest_django import Settings
from redis.crc import key_slot

from infra.redis_client import Shard, forget_servers
from tests.live.servers import eventually, free_port
from tests.redis_server import PASSWORD, RedisServer

_MASTERS = 3
_SLOTS = 16384
#: After this time without an answer a node counts as failed, and its replica takes over.
_NODE_TIMEOUT_MS = 1000


class Node(RedisServer):
    """A node of the cluster."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.bus_port = free_port()
        self.options = (
            *("--cluster-enabled", "yes", "--cluster-port", str(self.bus_port)),
            *("--cluster-node-timeout", str(_NODE_TIMEOUT_MS), "--masterauth", PASSWORD),
            *("--cluster-require-full-coverage", "no", "--repl-diskless-sync-delay", "0"),
            *("--min-replicas-to-write", "1", "--min-replicas-max-lag", "3"),
        )

    @property
    def id(self) -> str:
        """Its name in the cluster."""
        client: Any = self.client()
        return str(client.execute_command("CLUSTER MYID").decode())

    def role(self) -> str:
        """`master` or `slave`."""
        return str(self.client().info("replication")["role"])


class RedisCluster:
    """Six nodes on free ports, with their data in the folder."""

    def __init__(self, folder: Path) -> None:
        self.nodes = [Node(folder / f"node{number}") for number in range(2 * _MASTERS)]
        addresses = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        self.url = f"redis-cluster://:{PASSWORD}@{addresses}"
        self._started = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as started:
            for node in self.nodes:
                started.enter_context(node)
            self._form()
            self._started = started.pop_all()
        return self

    def _form(self) -> None:
        masters, replicas = self.nodes[:_MASTERS], self.nodes[_MASTERS:]
        for node in self.nodes[1:]:
            seed = self.nodes[0]
            self._run(node, "CLUSTER MEET", "127.0.0.1", seed.port, seed.bus_port)
        for place, node in enumerate(masters):
            first, last = place * _SLOTS // _MASTERS, (place + 1) * _SLOTS // _MASTERS - 1
            self._run(node, "CLUSTER ADDSLOTSRANGE", first, last)
        for master, replica in zip(masters, replicas, strict=True):
            eventually(lambda: self._knows(replica, master), 20, "the nodes have met")  # noqa: B023
            self._run(replica, "CLUSTER REPLICATE", master.id)
        eventually(self.is_well, 30, "the cluster is complete")

    def __exit__(self, *_: object) -> None:
        self._started.close()

    def use(self, settings: Settings) -> None:
        """Lead the clients of this process to the cluster."""
        settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update={"redis_url": self.url})
        forget_servers()

    def is_well(self) -> bool:
        """Whether all nodes that run agree that it works, and each master has its replica."""
        states = [self._run(node, "CLUSTER INFO") for node in self.nodes if node.is_running]
        replicas = [
            node.client().info("replication")["min_slaves_good_slaves"]
            for node in self.nodes
            if node.is_running and node.role() == "master"
        ]
        return len(replicas) == _MASTERS and all(replicas) and all(map(self._is_ok, states))

    def master_of(self, shard: Shard) -> Node:
        """The node that is the master of the shard's slot now, as most nodes see it."""
        slot = key_slot(str(shard.number).encode())
        seen = [port for node in self.nodes if (port := self._port_of(node, slot))]
        port = max(set(seen), key=seen.count)
        return next(node for node in self.nodes if node.port == port)

    def move(self, shard: Shard, target: Node) -> None:
        """Move the shard's slot, as `redis-cli --cluster reshard` does, key by key."""
        source, slot = self.master_of(shard), key_slot(str(shard.number).encode())
        self._run(target, "CLUSTER SETSLOT", slot, "IMPORTING", source.id)
        self._run(source, "CLUSTER SETSLOT", slot, "MIGRATING", target.id)
        while keys := self._run(source, "CLUSTER GETKEYSINSLOT", slot, 10):
            migrate = ("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "AUTH", PASSWORD, "KEYS")
            self._run(source, *migrate, *keys)
        for node in (target, source, *self.nodes):
            if node.role() == "master":
                self._run(node, "CLUSTER SETSLOT", slot, "NODE", target.id)

    @staticmethod
    def _is_ok(info: Any) -> bool:
        return "cluster_state:ok" in str(info) or dict(info)["cluster_state"] == "ok"

    def _knows(self, node: Node, other: Node) -> bool:
        return other.id in str(self._run(node, "CLUSTER NODES"))

    @staticmethod
    def _port_of(node: Node, slot: int) -> int | None:
        """The port of the slot's master, as this node sees it."""
        try:
            client: Any = redis.Redis.from_url(node.url, socket_timeout=1)
            ranges = client.execute_command("CLUSTER SLOTS")
        except redis.RedisError:
            return None
        if isinstance(ranges, dict):
            found = [
                of["primary"][1] for (first, last), of in ranges.items() if first <= slot <= last
            ]
        else:
            found = [of[2][1] for of in ranges if of[0] <= slot <= of[1]]
        return int(found[0]) if found else None

    @staticmethod
    def _run(node: Node, *command: object) -> Any:
        client: Any = node.client()
        return client.execute_command(*command)
