"""Faults of nodes: cut off, moved, restarted in turn, lost before a replica had everything."""

import time
from pathlib import Path

from chaos import stack
from chaos.cluster import haproxy
from chaos.cluster.nodes import RedisNodes, network_of, nodes, restart
from chaos.errors import NotHere
from chaos.fault import Fault
from chaos.healing import is_ready
from chaos.waiting import until


class CutOff(Fault):
    """Cuts nodes off from all others; they reach each other."""

    def __init__(self, *of: str) -> None:
        self._nodes = of

    def prepare(self) -> None:
        """Raises NotHere if the nodes have no network of their own."""
        for node in self._nodes:
            if network_of(node).samefile(Path("/proc/self/ns/net")):
                raise NotHere("only root can give nodes a network of their own")

    def inject(self) -> None:
        """Cut them off."""
        stack.do("cut", *self._nodes)

    def heal(self) -> None:
        """Connect them again."""
        stack.do("heal", *self._nodes)


class UnreplicatedWrites(Fault):
    """Kills a Redis master with writes that its replica, which takes over, never had."""

    #: The master refuses writes when the replica has been silent for longer.
    _PAUSED_SECONDS = 1.5

    def prepare(self) -> None:
        """Find a master and its replica."""
        self._master, self._replica = next(iter(RedisNodes().masters().items()))

    def inject(self) -> None:
        """Let the replica stand still while the master goes on, then kill the master."""
        stack.do("pause", self._replica)
        time.sleep(self._PAUSED_SECONDS)
        stack.do("kill", self._master)
        stack.do("resume", self._replica)

    def heal(self) -> None:
        """Start the old master, which becomes a replica."""
        stack.do("start", self._master)


class MovedMaster(Fault):
    """Lets a Redis replica take over from a master that is well, and then the other way."""

    def prepare(self) -> None:
        """Find a master and its replica."""
        self._redis = RedisNodes()
        self._master, self._replica = next(iter(self._redis.masters().items()))

    def inject(self) -> None:
        """Move it."""
        self._redis.fail_over(self._replica)

    def heal(self) -> None:
        """Move it back."""
        self._redis.fail_over(self._master)


class MovedSlots(Fault):
    """Moves slots with their keys from one Redis master to another, and back."""

    def prepare(self) -> None:
        """Choose two masters."""
        self._redis = RedisNodes()
        self._source, self._target, *_ = self._redis.masters()

    def inject(self) -> None:
        """Move them."""
        self._redis.move_slots(self._source, self._target)

    def heal(self) -> None:
        """Move as many back."""
        self._redis.move_slots(self._target, self._source)


class MovedWriter(Fault):
    """Lets HAProxy lead all connections to another database node, as before a restart."""

    def inject(self) -> None:
        """Move them."""
        self._node = haproxy.writer()
        haproxy.take_out(self._node)

    def heal(self) -> None:
        """Let it be used again, when another one fails."""
        haproxy.put_in(self._node)


class RollingRestart(Fault):
    """Restarts each node of an engine in turn, as docs/scale.md says."""

    def __init__(self, engine: str) -> None:
        self._engine = engine

    def inject(self) -> None:
        """Restart each node when the one before is well again. Raises ChaosError."""
        for node in nodes(self._engine):
            match self._engine:
                case "mariadb":
                    haproxy.take_out(node)
                    restart(node)
                    haproxy.put_in(node)
                case "redis":
                    cluster = RedisNodes()
                    if replica := cluster.masters().get(node):
                        cluster.fail_over(replica)
                    restart(node)
                    until(RedisNodes().is_well, "each shard has its replica again")
                case _:
                    restart(node)
            until(is_ready, f"all is well after {node}")
