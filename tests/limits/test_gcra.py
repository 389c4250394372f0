"""The rate limit's arithmetic, with a clock controlled by the test."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.rate_limits.gcra import Rate, Verdict, admit, parse_rate, remaining_debt
from api.rate_limits.limiter import MAX_LOCAL_CLIENTS, LocalLimiter

SECOND = 1_000_000
RATES = st.builds(Rate, st.integers(1, 12), st.sampled_from("smh"))


class Clock:
    """A clock in microseconds that the test sets."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


def told(verdict: Verdict) -> tuple[bool, int, int, int]:
    return (
        verdict.admitted,
        verdict.remaining,
        verdict.reset_seconds,
        verdict.retry_seconds,
    )


def test_the_whole_limit_may_be_sent_at_once_and_no_more() -> None:
    alone = LocalLimiter(parse_rate("3/m"), Clock())

    assert [told(alone.ask("a")) for _ in range(4)] == [
        (True, 2, 20, 0),
        (True, 1, 40, 0),
        (True, 0, 60, 20),
        (False, 0, 60, 20),
    ]


@pytest.mark.parametrize("text", ["3/s", "7/m", "100/s", "7777/h", "1000000/s", "1000000/h"])
def test_a_limit_that_does_not_divide_its_time_is_exact_too(text: str) -> None:
    rate = parse_rate(text)
    verdict = admit(rate, rate.capacity - rate.cost)

    assert (verdict.admitted, verdict.remaining) == (True, 0)
    assert verdict.reset_seconds == rate.cost // SECOND
    assert not admit(rate, verdict.debt).admitted


def test_one_comes_back_when_its_share_of_the_time_is_over_and_not_sooner() -> None:
    clock = Clock()
    alone = LocalLimiter(parse_rate("3/s"), clock)
    for _ in range(3):
        alone.ask("a")

    clock.now = 333_333
    assert told(alone.ask("a")) == (False, 0, 1, 1)
    clock.now = 333_334
    assert alone.ask("a").admitted
    assert not alone.ask("a").admitted


def test_after_the_whole_time_the_whole_limit_is_there_again() -> None:
    clock = Clock()
    alone = LocalLimiter(parse_rate("5/m"), clock)
    for _ in range(9):
        alone.ask("a")

    clock.now = 60 * SECOND
    assert told(alone.ask("a")) == (True, 4, 12, 0)


def test_who_goes_on_after_a_refusal_waits_no_longer_for_it() -> None:
    clock = Clock()
    alone = LocalLimiter(parse_rate("1/s"), clock)
    alone.ask("a")
    for clock.now in range(0, SECOND, SECOND // 10):
        assert not alone.ask("a").admitted

    clock.now = SECOND
    assert alone.ask("a").admitted


def test_each_name_has_a_limit_of_its_own() -> None:
    alone = LocalLimiter(parse_rate("1/h"), Clock())

    assert [alone.ask(name).admitted for name in ("a", "b", "a", "b")] == [True, True, False, False]


@given(RATES, st.lists(st.integers(0, 40 * SECOND), min_size=2, max_size=60), st.data())
def test_in_no_span_of_time_more_than_the_limit_and_what_came_back_meanwhile(
    rate: Rate, gaps: list[int], data: st.DataObject
) -> None:
    clock = Clock()
    alone = LocalLimiter(rate, clock)
    admitted: list[int] = []
    for gap in gaps:
        clock.now += gap
        asking = range(data.draw(st.integers(1, 4)))
        admitted += [clock.now for _ in asking if alone.ask("a").admitted]

    for first, since in enumerate(admitted):
        for last in range(first, len(admitted)):
            came_back = (admitted[last] - since) * rate.limit // rate.cost
            assert last - first + 1 <= rate.limit + came_back


@given(RATES, st.integers(0), st.integers(-(10**12), 10**12))
def test_what_is_told_is_what_happens(rate: Rate, owed: int, microseconds: int) -> None:
    owed = remaining_debt(rate, owed % (rate.capacity + 1), microseconds)
    verdict = admit(rate, owed)

    after = verdict.debt
    for _ in range(verdict.remaining):
        one_more = admit(rate, after)
        assert one_more.admitted
        after = one_more.debt
    assert not admit(rate, after).admitted
    assert admit(rate, remaining_debt(rate, verdict.debt, verdict.retry_seconds * SECOND)).admitted
    assert remaining_debt(rate, verdict.debt, verdict.reset_seconds * SECOND) == 0
    assert verdict.admitted or verdict.retry_seconds >= 1


def test_a_clock_that_is_set_back_pays_nothing_and_takes_nothing() -> None:
    assert remaining_debt(parse_rate("1/s"), 5, -SECOND) == 5


def test_names_that_owe_nothing_any_more_are_forgotten() -> None:
    clock = Clock()
    alone = LocalLimiter(parse_rate("10/s"), clock)
    for clock.now in range(100):
        alone.ask(f"client {clock.now}")

    clock.now = 2 * SECOND
    alone.ask("another")

    assert list(alone._debts) == ["another"]


def test_a_crowd_of_names_takes_bounded_room() -> None:
    alone = LocalLimiter(parse_rate("1/h"), Clock())
    for number in range(MAX_LOCAL_CLIENTS + 10):
        alone.ask(str(number))

    assert len(alone._debts) == MAX_LOCAL_CLIENTS
    assert not alone.ask(str(MAX_LOCAL_CLIENTS)).admitted
    assert alone.ask("0").admitted


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0/s",
        "01/s",
        "-1/s",
        "1.5/s",
        "1",
        "1/",
        "/s",
        "1/d",
        "1/S",
        "1000001/h",
        "1/s\n",
        "١/s",
    ],
)
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a rate is a number from 1 to 1000000 and s, m or h"):
        parse_rate(text)
