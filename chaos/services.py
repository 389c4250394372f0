"""Faults of one service each: its data put back or cut, its memory or its disk full."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import psutil

from chaos import redis_data, stack
from chaos.errors import ChaosError, NotHere
from chaos.fault import Fault

#: Of Redis's log some groups of the last moment; a whole minute would be an older copy.
_CUT_BYTES = 20_000
_RABBITMQCTL = "/usr/lib/rabbitmq/bin/rabbitmqctl"
#: What RabbitMQ starts with unless it is told otherwise.
_WATERMARK = "0.4"
_COMMAND_SECONDS = 60.0


class OlderRedis(Fault):
    """Redis is killed under load, and started with a copy from before the load's middle."""

    def prepare(self) -> None:
        """Find its data."""
        self._data = redis_data.folder()
        self._copy = Path(tempfile.mkdtemp(prefix="older-redis-")) / "data"

    def before(self) -> None:
        """Take the copy while the load runs."""
        redis_data.copy(self._data, self._copy)

    def inject(self) -> None:
        """Put the copy in the place of what it had."""
        stack.do("kill", "redis")
        redis_data.put_back(self._data, self._copy)

    def heal(self) -> None:
        """Start it."""
        stack.do("start", "redis")

    def tidy_up(self) -> None:
        """Remove the copy."""
        shutil.rmtree(self._copy.parent, ignore_errors=True)


class TruncatedRedis(Fault):
    """Redis is killed under load, and finds the end of its log missing."""

    def prepare(self) -> None:
        """Find its data."""
        self._data = redis_data.folder()

    def inject(self) -> None:
        """Cut it, in the middle of some command."""
        stack.do("kill", "redis")
        if not redis_data.cut(self._data, _CUT_BYTES):
            raise ChaosError("Redis's log is empty")

    def heal(self) -> None:
        """Start it."""
        stack.do("start", "redis")


class MemoryAlarm(Fault):
    """RabbitMQ is told that its memory is full, so it takes no message and confirms none."""

    def prepare(self) -> None:
        """Find out how to talk to the node."""
        if not Path(_RABBITMQCTL).exists():
            raise NotHere(f"there is no {_RABBITMQCTL}")
        nodes = [psutil.Process(pid).environ() for pid in stack.pids("rabbitmq")]
        self._environment = next(each for each in nodes if "RABBITMQ_NODENAME" in each)

    def inject(self) -> None:
        """Any use of memory is above the mark."""
        self._set("absolute", "1")

    def heal(self) -> None:
        """The mark is where it was."""
        self._set(_WATERMARK)

    def _set(self, *mark: str) -> None:
        command = [_RABBITMQCTL, "-n", self._environment["RABBITMQ_NODENAME"]]
        result = subprocess.run(
            [*command, "set_vm_memory_high_watermark", *mark],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
        if result.returncode != 0:
            raise ChaosError(f"rabbitmqctl: {result.stdout}{result.stderr}")
