"""Tokens reserved in advance save a busy client round trips without raising its limit."""

import pytest

from api.rate_limits.gcra import parse_rate
from api.rate_limits.limiter import Limiter, ReservedTokens, tokens_to_reserve
from tests.redis_server import RedisServer


@pytest.mark.parametrize(
    ("text", "number"),
    [("1/s", 0), ("39/s", 1), ("100/s", 5), ("6000/m", 5), ("1000000/s", 100), ("1000000/h", 13)],
)
def test_a_twentieth_of_a_second_is_counted_in_advance(text: str, number: int) -> None:
    assert tokens_to_reserve(parse_rate(text)) == number


def test_what_was_counted_is_taken_once_and_says_what_remains() -> None:
    rate = parse_rate("100/s")
    reserved = ReservedTokens(rate, lambda: 0)
    reserved.put("a", 2, debt=10 * rate.cost)

    remaining = [verdict.remaining for verdict in iter(lambda: reserved.take("a"), None)]

    assert remaining == [91, 90]
    assert reserved.take("b") is None


def test_what_is_left_counts_for_one_period() -> None:
    now = 0.0
    reserved = ReservedTokens(parse_rate("100/s"), lambda: now)
    reserved.put("a", 2, debt=0)
    now = 1.1

    assert reserved.take("a") is None


def test_processes_together_grant_no_more_than_the_limit(redis_server: RedisServer) -> None:
    rate = parse_rate("100000/h")  # so slow that nothing is paid off meanwhile, and one in advance
    assert tokens_to_reserve(rate) == 1
    limiters = [Limiter(rate) for _ in range(3)]
    server = redis_server.client()
    before = server.info("commandstats")

    verdicts = [limiter.ask("a") for _ in range(20) for limiter in limiters]

    assert all(verdict.admitted for verdict in verdicts)
    after = server.info("commandstats")
    calls = sum(
        after[name]["calls"] - before.get(name, {"calls": 0})["calls"]
        for name in ("cmdstat_eval", "cmdstat_evalsha")
        if name in after
    )
    assert calls <= 35
    assert verdicts[-1].remaining <= 100_000 - 57
