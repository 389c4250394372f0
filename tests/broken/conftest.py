"""Opens a stage for any variant of the system."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import operations.audit.unstored  # noqa: F401 - it keeps the limit that is changed here
from infra.rabbitmq.publisher import Publisher
from infra.rabbitmq.queues import failed_queue, work_queue
from ingest import commit
from ingest.commit import Committer
from ingest.group_commit import GroupCommit
from ingest.models import NumberAuthority
from ingest.numbering.fencing import verify_if_restarted
from tests.api.client import Api
from tests.broken.stage import Stage
from tests.broken.variants import Variant, forget_script
from tests.pipeline.conftest import broker, queue
from tests.pipeline.queue import TestQueue
from tests.redis_server import RedisServer
from tests.shards import ONLY

__all__ = ["broker", "open_stage", "queue"]


class _Way:
    """To the test's queue, whatever is published."""

    def __init__(self, publisher: Publisher, name: str) -> None:
        self._publisher, self._name = publisher, name

    def publish(self, _: str, headers: Mapping[str, Any], body: bytes) -> None:
        self._publisher.publish(self._name, headers, body)


@pytest.fixture
def open_stage(
    api: Api,
    redis_server: RedisServer,
    queue: TestQueue,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[Variant], Stage]]:
    """Opens a stage with the system in this variant."""
    pipeline, publisher = Committer(), Publisher()
    queues = work_queue(queue.name, queue.failed), failed_queue(queue.failed)
    monkeypatch.setattr("infra.rabbitmq.connection.QUEUES", queues)
    monkeypatch.setattr("ingest.commit.publisher", lambda: _Way(publisher, queue.name))
    monkeypatch.setattr(commit, "_at_once", GroupCommit(pipeline.commit))
    # Rows are swept at once, and an audit waits for no worker: there is none.
    monkeypatch.setattr("ingest.sweeper.AGE_MS", 0)
    monkeypatch.setattr("operations.audit.checks.WORKER_HOLDS_SECONDS", 0)

    def open_it(variant: Variant) -> Stage:
        variant(monkeypatch)
        verify_if_restarted(ONLY)
        NumberAuthority.objects.update(is_drained=True, needs_full_count=False)
        stage = Stage(api, redis_server, queue, tmp_path, variant.__name__)
        stage.open()
        return stage

    yield open_it
    pipeline._agent.end()
    publisher._drop()
    forget_script()
