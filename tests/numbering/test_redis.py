"""Numbers from Redis run 1 to N without a gap in normal operation, and never repeat."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from threading import Timer

import pytest
import redis
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from applications.models import Application
from chats.models import Chat
from infra.redis_client import forget_servers
from ingest.models import NumberAuthority, NumberingProcess, NumberSkip, Source
from ingest.numbering import fencing
from ingest.numbering.blocks import scripts
from tests.live.servers import ROOT, eventually
from tests.numbering.processes import Process
from tests.pipeline.worker import database_url
from tests.redis_server import RedisServer
from tests.shards import ONLY


def test_numbers_begin_at_1_and_follow_each_other(process: Process, token: str) -> None:
    assert process.chats(token) == [1]
    assert process.chats(token, 3) == [2, 3, 4]
    assert process.chats(token) == [5]


def test_a_new_chat_numbers_its_messages_without_asking_the_database(
    process: Process, token: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    process.chats(token)
    with django_assert_num_queries(0):
        assert process.messages(token, 1, 3) == [1, 2, 3]


def test_a_group_larger_than_a_lease_gets_consecutive_numbers(process: Process, token: str) -> None:
    assert process.chats(token, 1000) == list(range(1, 1001))
    assert process.chats(token) == [1001]


def test_two_processes_share_one_run_of_numbers(process: Process, token: str) -> None:
    with Process() as other:
        given = [one.chats(token)[0] for _ in range(200) for one in (process, other)]
    assert given == list(range(1, 401))


@pytest.mark.parametrize("ends", [Process.end, Process.kill])
def test_a_process_that_ends_leaves_no_gap(
    token: str, redis_server: RedisServer, ends: Callable[[Process], None]
) -> None:
    first = Process()
    assert first.chats(token) == [1]
    ends(first)
    with Process() as second:
        assert second.chats(token) == [2]


def test_redis_restarted_with_its_data_leaves_no_gap(
    process: Process, token: str, redis_server: RedisServer
) -> None:
    assert process.chats(token, 3) == [1, 2, 3]
    redis_server.restart()
    assert process.chats(token, 2) == [4, 5]
    assert not NumberSkip.objects.exists()


@pytest.fixture
def other(token: str, redis_server: RedisServer) -> Iterator[subprocess.Popen[str]]:
    """Another process, which answers each line with a new number."""
    command = [sys.executable, "-m", "tests.numbering.other_process", token]
    command += [database_url(), redis_server.url]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as process:  # type: ignore[call-overload]
        yield process
        process.kill()


def redirect(settings: Settings, successor: RedisServer) -> None:
    """Lead the clients of this process to another server, and none of other processes."""
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update={"redis_url": successor.url})
    forget_servers()


def number_of_other(other: subprocess.Popen[str]) -> int:
    assert other.stdin is not None
    assert other.stdout is not None
    other.stdin.write("\n")
    other.stdin.flush()
    return int(other.stdout.readline())


@pytest.mark.parametrize("stopped_before", [True, False])
def test_a_process_that_stands_still_for_seconds_costs_a_restart_no_numbers(
    stopped_before: bool,
    process: Process,
    token: str,
    redis_server: RedisServer,
    other: subprocess.Popen[str],
) -> None:
    assert process.chats(token, 2) == [1, 2]
    assert number_of_other(other) == 3
    if stopped_before:
        other.send_signal(signal.SIGSTOP)
    redis_server.restart()
    other.send_signal(signal.SIGSTOP)
    wakes = Timer(4, other.send_signal, [signal.SIGCONT])
    wakes.start()

    began = time.monotonic()
    assert process.chats(token) == [4]
    took = time.monotonic() - began

    assert number_of_other(other) == 5
    assert not NumberSkip.objects.exists()
    assert NumberAuthority.objects.get().epoch == 1
    assert took < 8
    wakes.join()


def test_a_server_from_before_a_failover_gives_no_number_again(
    process: Process,
    token: str,
    redis_server: RedisServer,
    other: subprocess.Popen[str],
    settings: Settings,
    tmp_path: Path,
) -> None:
    """Clients may still reach it, and it knows the script by which its successor was trusted."""
    assert process.chats(token, 2) == [1, 2]
    assert number_of_other(other) == 3
    with RedisServer(tmp_path / "successor") as successor:
        successor.take_over_from(redis_server)
        redirect(settings, successor)

        given = [process.chats(token)[0], number_of_other(other), process.chats(token)[0]]

        assert len(set(given)) == len(given)
        assert min(given) > 3


def test_a_server_that_dies_while_it_is_examined_is_replaced_by_the_database(
    process: Process,
    token: str,
    redis_server: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert process.chats(token) == [1]

    def die(*_: object, **__: object) -> None:
        raise redis.ConnectionError("Connection refused")

    monkeypatch.setattr(fencing, "_decide", die)
    redis_server.restart_at_once()

    [number] = process.chats(token)  # in time: else the request fails

    assert number > 1
    assert NumberAuthority.objects.get().source == Source.DATABASE


def test_a_process_that_was_killed_holds_up_a_restart_for_seconds_only(
    process: Process, token: str, redis_server: RedisServer, other: subprocess.Popen[str]
) -> None:
    process.chats(token, 2)
    number_of_other(other)
    other.kill()
    redis_server.restart()

    began = time.monotonic()
    [number] = process.chats(token)

    assert time.monotonic() - began < 8
    assert number > 4
    assert NumberAuthority.objects.get().epoch == 2


def test_after_redis_lost_its_data_no_number_is_given_again(
    process: Process, token: str, redis_server: RedisServer
) -> None:
    process.chats(token, 3)
    redis_server.wipe()
    [number] = process.chats(token)
    assert number > 3
    assert NumberSkip.objects.get().resumed_at == number
    assert process.chats(token) == [number + 1]


def test_after_a_flush_of_a_living_redis_no_number_is_given_again(
    process: Process, token: str, redis_server: RedisServer
) -> None:
    process.chats(token, 3)
    redis_server.client().flushall()
    assert process.chats(token)[0] > 3


def test_after_an_older_copy_was_put_back_no_number_is_given_again(
    process: Process, token: str, redis_server: RedisServer
) -> None:
    process.chats(token, 3)
    redis_server.take_copy()
    process.chats(token, 3)
    redis_server.put_back_copy()
    assert process.chats(token)[0] > 6


def test_an_older_copy_is_found_out_by_a_process_that_was_not_there(
    token: str, redis_server: RedisServer
) -> None:
    with Process() as first:
        first.chats(token, 3)
        redis_server.take_copy()
        first.chats(token, 3)
    redis_server.put_back_copy()
    with Process() as second:
        assert second.chats(token)[0] > 6


def test_an_older_copy_is_found_out_though_the_only_witness_was_killed(
    token: str, redis_server: RedisServer
) -> None:
    first = Process()
    first.chats(token, 3)
    redis_server.take_copy()
    first.chats(token, 3)
    first.kill()
    redis_server.put_back_copy()
    with Process() as second:
        assert second.chats(token)[0] > 6


def test_a_block_that_was_lost_alone_is_replaced_above_it(
    process: Process, token: str, redis_server: RedisServer
) -> None:
    process.chats(token, 3)
    redis_server.client().delete(f"block:{{{token}}}")
    assert process.chats(token)[0] > 3


def test_while_redis_is_away_the_database_numbers_above_all_that_was_lent(
    process: Process, token: str, redis_server: RedisServer
) -> None:
    process.chats(token, 3)
    redis_server.kill()
    [number] = process.chats(token)
    assert number > 3
    assert process.chats(token) == [number + 1]
    assert Chat.objects.filter(application_token=token).count() == 2
    assert NumberSkip.objects.get().resumed_at == number


def test_redis_numbers_again_once_it_is_back(
    process: Process, token: str, redis_server: RedisServer
) -> None:
    process.chats(token, 3)
    redis_server.kill()
    [number] = process.chats(token)
    redis_server.start()
    stored = Application.objects.get(token=token).number_ceiling
    assert stored == number

    given = [number]

    def is_numbered_by_redis() -> bool:
        given.extend(process.chats(token))
        return not Chat.objects.filter(application_token=token, chat_number=given[-1]).exists()

    eventually(is_numbered_by_redis, 30, "numbers from Redis")
    assert given == list(range(number, number + len(given)))


def test_a_database_that_was_put_back_gives_no_number_of_the_time_since(
    process: Process, token: str, redis_server: RedisServer
) -> None:
    process.chats(token, 3)
    before = NumberAuthority.objects.get()
    application = Application.objects.get(token=token)
    redis_server.wipe_at_once()
    [number] = process.chats(token)
    before.save()
    application.save(update_fields=["number_ceiling", "lease_first", "lease_last", "lease_epoch"])
    eventually(lambda: process.chats(token)[0] > number, 20, "a number above the last one")


def test_a_server_that_was_trusted_earlier_is_examined_when_it_comes_back(
    process: Process, token: str, redis_server: RedisServer
) -> None:
    process.chats(token, 3)
    redis_server.take_snapshot()
    former = NumberAuthority.objects.get().generation
    redis_server.restart_at_once()
    assert process.chats(token, 3) == [4, 5, 6]
    redis_server.put_back_snapshot()
    redis_server.client().script_load(scripts(ONLY, former)["blocks"])
    with Process() as other:
        assert other.chats(token)[0] > 6


def test_a_process_that_was_killed_long_ago_costs_no_numbers(
    token: str, redis_server: RedisServer
) -> None:
    killed = Process()
    killed.chats(token)
    killed.kill()
    NumberingProcess.objects.update(seen_at=timezone.now() - timedelta(hours=1))
    with Process() as living:
        assert living.chats(token) == [2]
        eventually(lambda: NumberingProcess.objects.count() == 1, 10, "one process")
        redis_server.restart()
        assert living.chats(token) == [3]
