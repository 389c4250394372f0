"""Counting in a real Redis: exact across processes, few round trips, no failed request."""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle

import pytest

from api.rate_limits import limiter as limits
from api.rate_limits.gcra import parse_rate
from api.rate_limits.limiter import Limiter
from infra.redis_client import server_of
from ingest import redis_keys
from ingest.group_commit import GroupCommit, GroupLimits
from tests.live.servers import eventually
from tests.redis_cluster import RedisCluster
from tests.redis_server import RedisServer
from tests.shards import ONLY

SLOW = parse_rate("5/h")
SCRIPTS = ("eval", "evalsha")


def scripts_run(server: RedisServer) -> int:
    statistics = server.client().info("commandstats")
    return sum(statistics.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in SCRIPTS)


def admitted(limiter: Limiter, name: str, times: int) -> int:
    return sum(limiter.ask(name).admitted for _ in range(times))


def at_once(limiters: Sequence[Limiter]) -> int:
    """Ask each limiter for one request at the same time; return how many are admitted."""
    barrier = threading.Barrier(len(limiters))

    def ask(limiter: Limiter) -> bool:
        barrier.wait()
        return limiter.ask("a").admitted

    with ThreadPoolExecutor(len(limiters)) as pool:
        return sum(pool.map(ask, limiters))


def test_two_processes_share_one_limit(redis_server: RedisServer) -> None:
    one, other = Limiter(SLOW), Limiter(SLOW)
    told = [limiter.ask("a") for _ in range(4) for limiter in (one, other)]

    assert [verdict.admitted for verdict in told] == [True] * 5 + [False] * 3
    assert [verdict.remaining for verdict in told] == [4, 3, 2, 1, 0, 0, 0, 0]


def test_each_client_has_its_limit_whichever_shard_counts_it(redis_cluster: RedisCluster) -> None:
    limiters = [Limiter(SLOW) for _ in range(2)]
    clients = [f"client {number}" for number in range(30)]

    assert {sum(admitted(one, client, 4) for one in limiters) for client in clients} == {5}


def test_of_many_that_ask_at_once_the_limit_is_admitted_and_no_more(
    redis_server: RedisServer,
) -> None:
    limiters = cycle([Limiter(parse_rate("50/h")) for _ in range(2)])

    assert at_once([next(limiters) for _ in range(80)]) == 50


def test_one_script_serves_all_that_wait(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Counter[str]] = []
    passes = threading.Semaphore(0)
    charge = limits.charge

    def held(rate: str, limit: int, cost: int, counts: Counter[str]) -> dict[str, int]:
        asked.append(counts)
        assert passes.acquire(timeout=10)
        return charge(rate, limit, cost, counts)

    monkeypatch.setattr("api.rate_limits.limiter.charge", held)
    limiter = Limiter(SLOW)
    limiter._shared = GroupCommit(limiter._commit, GroupLimits(wait_seconds=10))
    with ThreadPoolExecutor(41) as pool:
        first = pool.submit(limiter.ask, "a")
        eventually(lambda: len(asked) == 1, 5, "the first asks")
        before = scripts_run(redis_server)
        rest = [pool.submit(limiter.ask, name) for name in "ab" * 20]
        eventually(lambda: len(limiter._shared._waiting) == 40, 5, "all wait")
        passes.release(2)

    assert asked == [{"a": 1}, {"a": 20, "b": 20}]
    # The first of all finds that the server does not know the script yet.
    assert scripts_run(redis_server) - before <= 3
    assert first.result().admitted
    assert sum(future.result().admitted for future in rest) == 4 + 5


def test_what_is_paid_off_is_admitted_again_and_not_sooner(redis_server: RedisServer) -> None:
    limiter = Limiter(parse_rate("2/s"))
    began = time.monotonic()
    assert admitted(limiter, "a", 3) == 2

    eventually(lambda: limiter.ask("a").admitted, 5, "one more is admitted")
    assert time.monotonic() - began >= 0.5


def test_an_entry_goes_by_itself_when_nothing_is_owed(redis_server: RedisServer) -> None:
    server = redis_server.client()
    admitted(Limiter(SLOW), "a", 2)
    assert 1_400_000 < server.pttl(redis_keys.debt("5/h", "a")) <= 1_440_000

    Limiter(parse_rate("10/s")).ask("b")
    eventually(lambda: not server.exists(redis_keys.debt("10/s", "b")), 2, "it is gone")


def test_counting_writes_nothing_to_disk(redis_server: RedisServer) -> None:
    server = redis_server.client()
    size = server.info("persistence")["aof_current_size"]
    limiter = Limiter(SLOW)
    for _ in range(10):
        limiter.ask("a")

    assert server.info("persistence")["aof_current_size"] == size
    assert server.exists(redis_keys.debt("5/h", "a"))


def test_another_rate_counts_anew(redis_server: RedisServer) -> None:
    assert admitted(Limiter(SLOW), "a", 9) == 5
    assert admitted(Limiter(parse_rate("7/h")), "a", 9) == 7


@pytest.mark.parametrize(
    "name", ["", " ", "\0", "a\r\nFLUSHALL\r\n", "{a}", "\ud800", "é😀", "5/h:a", "x" * 100_000]
)
def test_a_hostile_name_is_a_name(redis_server: RedisServer, name: str) -> None:
    limiter = Limiter(SLOW)

    assert limiter.ask("a").remaining == 4
    assert admitted(limiter, name, 9) == 5
    assert limiter.ask("a").remaining == 3
    assert not server_of(ONLY).breaker.is_open


def test_a_clock_that_was_set_back_locks_nobody_out_for_longer(redis_server: RedisServer) -> None:
    limiter = Limiter(parse_rate("4/s"))
    admitted(limiter, "a", 9)
    name = redis_keys.debt("4/s", "a")
    owed, since = (redis_server.client().get(name) or b"").split()
    redis_server.client().set(name, b"%d %d" % (int(owed), int(since) + 3600 * 1_000_000))

    eventually(lambda: limiter.ask("a").admitted, 2, "it is admitted again")


@pytest.mark.parametrize("entry", [b"nonsense", b"", b"-1 2", b"1 2 3"])
def test_an_entry_that_cannot_be_read_owes_nothing(redis_server: RedisServer, entry: bytes) -> None:
    redis_server.client().set(redis_keys.debt("5/h", "a"), entry)

    assert admitted(Limiter(SLOW), "a", 9) == 5


def test_a_restarted_redis_is_told_the_script_again(redis_server: RedisServer) -> None:
    limiter = Limiter(SLOW)
    limiter.ask("a")
    redis_server.client().script_flush()

    assert limiter.ask("a").remaining == 3


def test_without_redis_in_the_middle_requests_go_on_and_are_still_limited(
    redis_server: RedisServer,
) -> None:
    limiter = Limiter(SLOW)
    assert limiter.ask("a").remaining == 4
    redis_server.kill()

    assert admitted(limiter, "a", 9) == 5
    assert server_of(ONLY).breaker.is_open

    redis_server.start()
    eventually(lambda: not server_of(ONLY).breaker.is_open, 5, "it is found well")
    limiter.ask("b")
    assert redis_server.client().exists(redis_keys.debt("5/h", "b"))


def test_a_redis_that_is_known_to_be_away_costs_no_time(redis_server: RedisServer) -> None:
    limiter = Limiter(SLOW)
    redis_server.kill()
    limiter.ask("a")

    began = time.monotonic()
    for _ in range(100):
        limiter.ask("a")
    assert time.monotonic() - began < 0.5


def test_a_redis_that_hangs_holds_up_nobody_for_long(redis_server: RedisServer) -> None:
    limiter = Limiter(parse_rate("1000/h"))
    limiter.ask("a")
    redis_server.pause()

    began = time.monotonic()
    assert at_once([limiter] * 20) == 20
    assert time.monotonic() - began < 4
    assert server_of(ONLY).breaker.is_open


def test_a_redis_that_takes_no_writes_is_done_without(redis_server: RedisServer) -> None:
    redis_server.client().config_set("maxmemory", 1)

    assert admitted(Limiter(SLOW), "a", 9) == 5


def test_a_full_waiting_room_is_no_reason_to_refuse(redis_server: RedisServer) -> None:
    limiter = Limiter(SLOW)
    limiter._shared = GroupCommit(limiter._commit, GroupLimits(waiting_items=0))

    assert admitted(limiter, "a", 9) == 5
    assert redis_server.client().dbsize() == 0


def test_without_a_redis_at_all_each_process_counts_alone() -> None:
    processes = [Limiter(SLOW), Limiter(SLOW)]

    assert [admitted(process, "a", 9) for process in processes] == [5, 5]
