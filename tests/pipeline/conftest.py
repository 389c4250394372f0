"""A broker for the tests that need one; the other tests have none."""

import os
from collections.abc import Iterator

import pytest
from pytest_django import Settings

from ingest import commit, redis_keys
from ingest.group_commit import GroupCommit
from ingest.models import NumberAuthority
from ingest.numbering.authority import read_authority
from ingest.numbering.fencing import verify_if_restarted
from tests.api.client import Api
from tests.pipeline.backlog import Backlog
from tests.pipeline.proxy import Proxy, proxy_to
from tests.pipeline.queue import TestQueue
from tests.redis_server import RedisServer
from tests.shards import ONLY


@pytest.fixture
def broker(no_queue: None, settings: Settings) -> None:
    """This process uses the stack's broker."""
    url = {"broker_url": os.environ["BROKER_URL"]}
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update=url)


@pytest.fixture
def queue() -> Iterator[TestQueue]:
    """A queue of the test's own."""
    with TestQueue() as queue:
        yield queue


@pytest.fixture
def backlog(
    redis_server: RedisServer, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Backlog]:
    """What this process accepts has its number of Redis, and waits until the test is its worker."""
    backlog = Backlog(redis_server)
    verify_if_restarted(ONLY)
    read_authority(ONLY)
    NumberAuthority.objects.update(is_drained=True, needs_full_count=False)
    monkeypatch.setattr("ingest.commit.deliver", backlog.rows.extend)
    monkeypatch.setattr("ingest.earlier_keys.messages_waiting", lambda *_: len(backlog.rows))
    for seconds in ("BROKER_CONFIRM_SECONDS", "WORKER_HOLDS_SECONDS"):
        monkeypatch.setattr(f"ingest.earlier_keys.{seconds}", 0)
    monkeypatch.setattr(commit, "_at_once", GroupCommit(backlog.pipeline.commit))
    yield backlog
    backlog.end_process()


@pytest.fixture
def broker_proxy() -> Iterator[Proxy]:
    """A proxy to the stack's broker that can be frozen and cut."""
    with proxy_to(os.environ["BROKER_URL"]) as way:
        yield way


@pytest.fixture
def chat(api: Api, backlog: Backlog) -> str:
    """A stored chat."""
    chat = api.new_chat()
    backlog.work()
    backlog.redis.delete(redis_keys.progress(ONLY, "chats"))
    return chat
