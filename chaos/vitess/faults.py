"""Faults of shards: read only, and commits that reach only one of them."""

import subprocess
from contextlib import suppress
from threading import Event, Thread

from chaos.fault import Fault
from chaos.vitess.mysql import ask, kill_transactions

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
