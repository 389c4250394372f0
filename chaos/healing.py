"""Wait until the stack has recovered: after a fault, and before the next one."""

import json
import os
import time
import urllib.request
from datetime import UTC, datetime
from threading import Event, Thread

from amqp.exceptions import AMQPError
from django.db import Error
from kombu.exceptions import KombuError

from chaos import stack
from chaos.client import Client
from chaos.database import query, until_numbers_are_of
from chaos.waiting import until
from infra.rabbitmq.queues import FAILED
from infra.redis_client import RedisUnavailable, Shard, shards
from ingest import pending_index

_ANSWER_SECONDS = 5.0
_EVERY_SECONDS = 0.25
_CONNECTIONS = 8
_PARENTS = 1000


def heal() -> None:
    """Start every part that is down and wait until the stack works. Raises ChaosError."""
    stack.start_all()
    until(_accept_everywhere, "the stack accepts a chat")
    until_numbers_are_of("redis")
    until(lambda: not stack.queued("chats", "messages"), "nothing is queued")


def until_settled(within: float) -> None:
    """Wait until all parts are healthy and nothing is pending. Raises ChaosError.

    The queue of failed messages must be empty too: the next case would be blamed for them.
    """
    until(
        lambda: is_settled(time.time(), *stack.queues(), FAILED),
        "all that was accepted is stored and indexed",
        within,
        every=_EVERY_SECONDS,
    )


def is_settled(moment: float, *queues: str) -> bool:
    """Whether all parts are healthy, these queues are empty, and no older work is pending.

    Older work: rows accepted, or index changes recorded, at `moment` or before.
    """
    try:
        return (
            is_ready()
            and not stack.queued(*queues)
            and not _pending_since(moment)
            and not _to_be_indexed_since(moment)
        )
    except (Error, RedisUnavailable, AMQPError, KombuError, OSError):
        return False


def is_ready() -> bool:
    """Whether /health/ready reports the status `ok`."""
    try:
        with urllib.request.urlopen(  # noqa: S310 - the stack's own address
            f"{os.environ['BASE_URL']}/health/ready", timeout=_ANSWER_SECONDS
        ) as answer:
            return bool(json.load(answer)["status"] == "ok")
    except (OSError, ValueError):
        return False


class Watch:
    """Polls until all work from before its creation is done; measures the time."""

    def __init__(self) -> None:
        self.healed_after: float | None = None
        self._end = Event()
        self._began, self._moment = time.monotonic(), time.time()
        self._thread = Thread(target=self._look, name="healing", daemon=True)
        self._thread.start()

    def until_healed(self, within: float) -> float | None:
        """The seconds until healed; None if longer than `within`."""
        self._thread.join(max(0.0, self._began + within - time.monotonic()))
        self._end.set()
        self._thread.join()
        return self.healed_after

    def _look(self) -> None:
        while not self._end.wait(_EVERY_SECONDS):
            if is_settled(self._moment, "chats", "messages"):
                self.healed_after = time.monotonic() - self._began
                return


def _accept_everywhere() -> bool:
    """Whether every web process accepts writes, tested over several connections.

    Each process has its own breaker, so each must notice that a service is back.
    """
    return all(_accepts() for _ in range(_CONNECTIONS))


def _accepts() -> bool:
    """Whether an application and a chat in it can be created."""
    with Client() as client:
        answer = client.send("POST", "/applications", {"name": "whole"})
        if answer.status != 201:
            return False
        path = f"/applications/{answer.document['token']}/chats"
        return client.send("POST", path, {"name": "whole"}).status == 201


def _pending_since(moment: float) -> bool:
    """Whether a row accepted by then is pending. Raises RedisUnavailable."""
    return any(_pends_since(shard, int(moment * 1000)) for shard in shards())


def _pends_since(shard: Shard, moment_ms: int) -> bool:
    """The same of a shard. A listed parent may have no pending rows."""
    parents = pending_index.parents_with_pending(shard, moment_ms, skip=0, count=_PARENTS)
    first = pending_index.first_pending_of_each(shard, parents, count=1) if parents else {}
    members = [member for found in first.values() for member, _ in found]
    return any(int(member.split(b" ", 2)[1]) <= moment_ms for member in members)


def _to_be_indexed_since(moment: float) -> bool:
    recorded = datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    return bool(query("SELECT 1 FROM index_backlog WHERE recorded_at <= %s LIMIT 1", recorded))
