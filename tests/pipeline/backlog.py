"""A queue without a broker, and a worker that stores rows when the test says so."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ingest import redis_keys
from ingest.commit import Committer
from ingest.idempotent_insert import store_rows
from ingest.post_commit import finish_queued
from ingest.records import NumberedRow
from messages_app.models import Message
from tests.redis_server import RedisServer
from tests.shards import ONLY


@dataclass
class Backlog:
    """The queued rows, and their Redis."""

    server: RedisServer
    pipeline: Committer = field(default_factory=Committer)
    rows: list[NumberedRow] = field(default_factory=list)

    @property
    def redis(self) -> Any:
        """A client for reading and changing the data."""
        return self.server.client()

    def work(self, which: Callable[[NumberedRow], object] = lambda _: True) -> None:
        """Store the selected rows as a worker does, and drop their messages."""
        rows = [row for row in self.rows if which(row)]
        self.rows[:] = [row for row in self.rows if row not in rows]
        store_rows(rows, drop_superseded=True)
        finish_queued(rows)

    def end_process(self) -> None:
        """End the accepting process cleanly."""
        self.pipeline._agent.end()

    def pending(self) -> dict[str, list[bytes]]:
        """All pending rows, by their parent's name."""
        names = [
            name.decode() for name in self.redis.zrange(redis_keys.pending_parents(ONLY), 0, -1)
        ]
        found = {name: self.redis.zrange(redis_keys.pending(name), 0, -1) for name in names}
        assert sorted(self.redis.keys("pending:*")) == sorted(
            redis_keys.pending(name).encode() for name in names
        )
        return found

    def grow_old(self, seconds: int, which: Callable[[int], object] = lambda _: True) -> None:
        """Backdate the pending rows with the selected numbers, by seconds."""
        for name, members in self.pending().items():
            for member in members:
                number, accepted, payload = member.split(b" ", 2)
                if not which(int(number)):
                    continue
                earlier = b"%b %d %b" % (number, int(accepted) - seconds * 1000, payload)
                self.redis.zrem(redis_keys.pending(name), member)
                self.redis.zadd(redis_keys.pending(name), {earlier: int(number)})
                self.redis.zadd(
                    redis_keys.pending_parents(ONLY),
                    {name: int(accepted) - seconds * 1000},
                    lt=True,
                )


def stored() -> list[int]:
    """The numbers of all stored messages, chat by chat."""
    rows = Message.objects.order_by("chat_number", "message_number")
    return list(rows.values_list("message_number", flat=True))
