"""Faults of one service: older data, a truncated log, a memory alarm."""

import shutil
import tempfile
from pathlib import Path

from chaos import redis_data, stack
from chaos.errors import ChaosError
from chaos.fault import Fault
from chaos.rabbitmqctl import Node

#: A few of the last group commits in Redis's log; much more would equal an older copy.
_CUT_BYTES = 20_000
_SET_WATERMARK = "set_vm_memory_high_watermark"
#: The default of RabbitMQ 3; that of RabbitMQ 4 is higher.
_WATERMARK = "0.4"


class OlderRedis(Fault):
    """Kills Redis under load and starts it with a copy taken earlier in the load."""

    def prepare(self) -> None:
        """Find Redis's data folder."""
        self._data = redis_data.folder()
        self._copy = Path(tempfile.mkdtemp(prefix="older-redis-")) / "data"

    def before(self) -> None:
        """Take the copy while the load runs."""
        redis_data.copy(self._data, self._copy)

    def inject(self) -> None:
        """Kill Redis and replace its data by the copy."""
        stack.do("kill", "redis")
        redis_data.put_back(self._data, self._copy)

    def heal(self) -> None:
        """Start Redis."""
        stack.do("start", "redis")

    def tidy_up(self) -> None:
        """Remove the copy."""
        shutil.rmtree(self._copy.parent, ignore_errors=True)


class TruncatedRedis(Fault):
    """Kills Redis under load and truncates its log."""

    def prepare(self) -> None:
        """Find Redis's data folder."""
        self._data = redis_data.folder()

    def inject(self) -> None:
        """Kill Redis and cut its log, usually within a command. Raises ChaosError."""
        stack.do("kill", "redis")
        if not redis_data.cut(self._data, _CUT_BYTES):
            raise ChaosError("Redis's log is empty")

    def heal(self) -> None:
        """Start Redis."""
        stack.do("start", "redis")


class MemoryAlarm(Fault):
    """Triggers RabbitMQ's memory alarm: RabbitMQ then accepts and confirms no message."""

    def prepare(self) -> None:
        """Find the node. Raises NotHere."""
        self._node = Node()

    def inject(self) -> None:
        """Set the watermark to 1 byte, which any use of memory exceeds."""
        self._node.do(_SET_WATERMARK, "absolute", "1")

    def heal(self) -> None:
        """Restore the watermark."""
        self._node.do(_SET_WATERMARK, _WATERMARK)
