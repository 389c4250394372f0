"""Faults of one service each: its data put back or cut, its memory or its disk full."""

import shutil
import tempfile
from pathlib import Path

from chaos import redis_data, stack
from chaos.errors import ChaosError
from chaos.fault import Fault
from chaos.rabbitmqctl import Node

#: Of Redis's log some groups of the last moment; a whole minute would be an older copy.
_CUT_BYTES = 20_000
_SET_WATERMARK = "set_vm_memory_high_watermark"
#: What RabbitMQ 3 starts with unless it is told otherwise; RabbitMQ 4 starts with more.
_WATERMARK = "0.4"


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
        self._node = Node()

    def inject(self) -> None:
        """Any use of memory is above the mark."""
        self._node.do(_SET_WATERMARK, "absolute", "1")

    def heal(self) -> None:
        """The mark is where it was."""
        self._node.do(_SET_WATERMARK, _WATERMARK)
