"""On a Redis Cluster, workers and jobs see to the shards of all applications."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.core.management import call_command

from applications.models import Application
from applications.services import create_application
from chats.models import Chat
from infra.redis_client import server_of, shard_of, shards
from ingest import redis_keys, sweeper
from ingest.idempotent_insert import store_rows
from ingest.numbering.idle_blocks import hand_back
from ingest.pending_index import pending_stats
from ingest.post_commit import finish_queued
from ingest.records import NumberedRow
from ingest.sweeper import sweep
from operations import counts
from tests.numbering.processes import Process
from tests.redis_cluster import RedisCluster
from tests.rows import new_chat, new_message

pytestmark = [pytest.mark.stack, pytest.mark.django_db(transaction=True)]

APPLICATIONS = 30


@pytest.fixture
def process(
    redis_cluster: RedisCluster, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Process]:
    """One that numbers rows, and delivers none."""
    monkeypatch.setattr("ingest.commit.deliver", lambda _: None)
    with Process() as process:
        yield process


def flags() -> int:
    """How many parents have dirty flags, in all shards."""
    names = [(shard, redis_keys.dirty(shard, kind)) for shard in shards() for kind in KINDS]
    return sum(server_of(shard).client.scard(name) for shard, name in names)


KINDS = ("chats", "messages")


def test_rows_are_stored_swept_counted_audited_and_their_blocks_handed_back(
    process: Process, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tokens = [create_application(name="shards").token for _ in range(APPLICATIONS)]
    assert len({shard_of(token) for token in tokens}) > 10
    chats = process.commit([new_chat(token, "c") for token in tokens])
    messages = process.commit([new_message(token, 1, "m") for token in tokens])
    queued = [row for row in [*chats, *messages[::2]] if isinstance(row, NumberedRow)]
    assert (len(queued), pending_stats().rows) == (45, 60)

    store_rows(queued)
    finish_queued(queued)
    assert (pending_stats().rows, flags()) == (15, 2 * APPLICATIONS)
    monkeypatch.setattr(sweeper, "AGE_MS", 0)
    assert sweep().stored == 15
    assert pending_stats().rows == 0

    counts.reconcile()
    assert flags() == 0
    assert set(Application.objects.values_list("chats_count", flat=True)) == {1}
    assert set(Chat.objects.values_list("messages_count", flat=True)) == {1}
    call_command("audit")
    assert "0 errors" in capsys.readouterr().out

    assert hand_back(idle=timedelta()) == 2 * APPLICATIONS
    assert process.numbers(*(new_message(token, 1, "m") for token in tokens)) == [2] * APPLICATIONS
