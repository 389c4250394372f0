"""Numbers from a Redis Cluster: a shard that loses its server leaves the others alone."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pytest_django import Settings

from applications.services import create_application
from infra.redis_client import Shard, forget_servers, shard_of, shards
from ingest.commit import accept, deliver
from ingest.group_commit import GroupCommit, OutcomeOpen
from ingest.idempotency import IdempotentRequest, RequestKey
from ingest.models import NumberAuthority, NumberSkip
from ingest.numbering.authority import read_authorities
from tests.live.servers import eventually
from tests.numbering.processes import Process
from tests.redis_cluster import Node, RedisCluster
from tests.redis_server import RedisServer
from tests.rows import new_chat

pytestmark = [pytest.mark.stack, pytest.mark.django_db(transaction=True)]

APPLICATIONS = 40


@pytest.fixture
def cluster(redis_cluster: RedisCluster) -> RedisCluster:
    """The cluster that this process uses."""
    return redis_cluster


@pytest.fixture
def tokens(cluster: RedisCluster, transactional_db: None) -> list[str]:
    """Applications of many shards."""
    return [create_application(name="numbers").token for _ in range(APPLICATIONS)]


@pytest.fixture
def process(tokens: list[str]) -> Iterator[Process]:
    with Process() as process:
        yield process


def on(cluster: RedisCluster, node: Node, tokens: list[str]) -> list[str]:
    """The applications whose shard this node has."""
    return [token for token in tokens if cluster.master_of(shard_of(token)) is node]


def epochs() -> dict[Shard, int]:
    return {shard: one.epoch for shard, one in read_authorities().items()}


def test_numbers_of_all_shards_run_without_a_gap(process: Process, tokens: list[str]) -> None:
    assert len({shard_of(token) for token in tokens}) > 10
    for number in (1, 2, 3):
        assert process.numbers_of_each(tokens) == [number] * len(tokens)
    assert process.chats(tokens[0], 300) == list(range(4, 304))
    assert process.messages(tokens[0], 1, 3) == [1, 2, 3]


def test_a_master_that_is_lost_costs_the_others_nothing(
    process: Process, tokens: list[str], cluster: RedisCluster
) -> None:
    process.numbers_of_each(tokens)
    before = epochs()
    node = cluster.master_of(shards()[0])
    lost = on(cluster, node, tokens)
    others = [token for token in tokens if token not in lost]
    node.kill()

    assert process.numbers_of_each(others) == [2] * len(others)
    eventually(lambda: cluster.master_of(shards()[0]) is not node, 30, "the replica has taken over")
    given = process.numbers_of_each(lost)

    assert all(number > 1 for number in given)
    assert process.numbers_of_each(others) == [3] * len(others)
    same = {shard_of(token) for token in others}
    assert {shard: epochs()[shard] for shard in same} == {shard: before[shard] for shard in same}


def test_a_slot_that_moves_keeps_its_epoch_and_leaves_no_gap(
    process: Process, tokens: list[str], cluster: RedisCluster
) -> None:
    token = tokens[0]
    assert process.chats(token, 3) == [1, 2, 3]
    source = cluster.master_of(shard_of(token))
    target = next(node for node in cluster.nodes if node is not source and node.role() == "master")

    cluster.move(shard_of(token), target)

    assert process.chats(token, 2) == [4, 5]
    assert not NumberSkip.objects.exists()


def test_a_master_that_comes_back_gives_no_number_again(
    process: Process, tokens: list[str], cluster: RedisCluster
) -> None:
    process.numbers_of_each(tokens)
    node = cluster.master_of(shards()[0])
    lost = on(cluster, node, tokens)
    node.pause()
    eventually(lambda: cluster.master_of(shards()[0]) is not node, 30, "the replica has taken over")
    # It still asks the server that stands still, and then whether that is known to others.
    assert {type(one) for one in process.commit([new_chat(token, "c") for token in lost])} == {
        OutcomeOpen
    }
    first = process.numbers_of_each(lost)
    node.resume()
    with Process() as other:
        second = other.numbers_of_each(lost)

    assert all(1 < one < two for one, two in zip(first, second, strict=True))


def test_a_shard_that_is_away_holds_up_no_other_one(
    process: Process,
    tokens: list[str],
    cluster: RedisCluster,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pipeline = process.pipeline
    monkeypatch.setattr("ingest.commit._at_once", GroupCommit(pipeline.commit_at_once))
    monkeypatch.setattr("ingest.commit._patiently", GroupCommit(pipeline.commit))
    for token in tokens:
        accept(new_chat(token, "c"))
    node = cluster.master_of(shards()[0])
    lost = on(cluster, node, tokens)
    node.kill()

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(accept, new_chat(lost[0], "c"))
        given = [accept(new_chat(token, "c")).number for token in tokens if token not in lost]
        was_waiting = not waiting.done()
        assert waiting.result(20).number > 1

    assert set(given) == {2}
    assert was_waiting


def test_an_installation_moves_from_one_server_to_a_cluster(
    transactional_db: None,
    redis_server: RedisServer,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ingest.commit.deliver", deliver)  # the rows are stored, and their keys
    tokens = [create_application(name="numbers").token for _ in range(APPLICATIONS)]
    request = IdempotentRequest(RequestKey("a" * 32, "b" * 32))
    with Process() as process:
        assert process.chats(tokens[0], 5) == [1, 2, 3, 4, 5]
        assert process.numbers_of_each(tokens[1:]) == [1] * (APPLICATIONS - 1)
        once = process.number_of_request(request, tokens[0])
    epoch = NumberAuthority.objects.get().epoch

    with RedisCluster(tmp_path / "cluster") as cluster:
        cluster.use(settings)
        with Process() as process:
            again = process.number_of_request(request, tokens[0])
            first = process.numbers_of_each(tokens)
            second = process.numbers_of_each(tokens)

    assert again == once == 6
    assert first[0] > 6
    assert all(number > 1 for number in first)
    assert second == [number + 1 for number in first]
    assert all(skip.resumed_at in first for skip in NumberSkip.objects.all())
    added = NumberAuthority.objects.exclude(pk=1)
    assert {(one.epoch > epoch, one.is_drained) for one in added} == {(True, False)}
    forget_servers()
