"""Faults of shards: read only, commits that reach only one of them, more shards."""

import json
import subprocess
from contextlib import suppress
from threading import Event, Thread

from bench.services import parts
from chaos.errors import NotHere
from chaos.fault import Fault
from chaos.vitess.mysql import SHARDED, ask, kill_transactions, vtctldclient
from chaos.waiting import until

_EVERY_SECONDS = 0.05


class ReadOnly(Fault):
    """Makes the MySQL of a shard refuse writes."""

    def __init__(self, node: str) -> None:
        self._node = node

    def inject(self) -> None:
        """Refuse writes."""
        ask(self._node, "SET GLOBAL super_read_only = ON")

    def heal(self) -> None:
        """Accept them again."""
        ask(self._node, "SET GLOBAL super_read_only = OFF; SET GLOBAL read_only = OFF")

    def tidy_up(self) -> None:
        """Heal again, in case something failed before `heal`."""
        self.heal()


class TornCommits(Fault):
    """Ends the transactions of one shard again and again: commits reach only the other one."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._end = Event()
        self._thread = Thread(target=self._cut, name="torn-commits", daemon=True)

    def inject(self) -> None:
        """Begin."""
        self._thread.start()

    def heal(self) -> None:
        """End."""
        self._end.set()
        self._thread.join()

    def _cut(self) -> None:
        while not self._end.wait(_EVERY_SECONDS):
            with suppress(subprocess.CalledProcessError):  # a transaction had ended by itself
                kill_transactions(self._node)


class Resharded(Fault):
    """Changes from two shards to four, with all rows, while clients write."""

    _OLD, _NEW = "-80,80-", "-40,40-80,80-c0,c0-"

    def prepare(self) -> None:
        """Raises NotHere without the servers of four more shards."""
        if "mysqld-7" not in parts():
            raise NotHere("the topology vitess-resharding has the servers of the new shards")

    def inject(self) -> None:
        """Copy the rows, switch when the new shards have caught up, and drop the old rows."""
        self._reshard("create", "--source-shards", self._OLD, "--target-shards", self._NEW)
        until(self._is_copied, "the new shards have all rows")
        self._reshard("switchtraffic", "--max-replication-lag-allowed", "2s")
        self._reshard("complete")

    def _is_copied(self) -> bool:
        status = json.loads(self._reshard("status", "--format", "json"))
        streams = [one for shard in status["shard_streams"].values() for one in shard["streams"]]
        return all(one["status"] == "Running" for one in streams)

    def _reshard(self, action: str, *options: str) -> str:
        return vtctldclient(
            "Reshard", "--workflow", "grow", "--target-keyspace", SHARDED, action, *options
        )
