"""A stage for each variant of the system."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from core.accept import acceptor
from core.accept.group import GroupCommit
from core.accept.pipeline import Pipeline
from core.broker.publisher import Publisher
from core.broker.queues import failed_queue, work_queue
from core.numbering.models import NumberAuthority
from core.numbering.restarted import examine_if_restarted
from tests.api.client import Api
from tests.broken.stage import Stage
from tests.broken.variants import Variant, forget_script
from tests.pipeline.conftest import broker, queue
from tests.pipeline.queue import TestQueue
from tests.redis_server import RedisServer

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
    pipeline, publisher = Pipeline(), Publisher()
    queues = work_queue(queue.name, queue.failed), failed_queue(queue.failed)
    monkeypatch.setattr("core.broker.declaring.QUEUES", queues)
    monkeypatch.setattr("core.accept.delivery.publisher", lambda: _Way(publisher, queue.name))
    monkeypatch.setattr(acceptor, "_group_commit", GroupCommit(pipeline.commit))
    # Rows are swept at once, and an audit waits for no worker: there is none.
    monkeypatch.setattr("core.accept.sweeper.AGE_MS", 0)
    monkeypatch.setattr("core.audit.trusted.WORKER_HOLDS_SECONDS", 0)

    def open_it(variant: Variant) -> Stage:
        variant(monkeypatch)
        examine_if_restarted()
        NumberAuthority.objects.update(is_drained=True, needs_full_count=False)
        stage = Stage(api, redis_server, queue, tmp_path, variant.__name__)
        stage.open()
        return stage

    yield open_it
    pipeline._keeper.end()
    publisher._drop()
    forget_script()
