"""A soak compares its third minute with its last."""

from collections.abc import Callable

from chaos.soak.memory import Sample
from chaos.soak.running import Soaked
from chaos.soak.verdict import is_ok, lines

MIB = 2**20
_MINUTES = 10


def soaked(
    web: Callable[[float], float] = lambda _: 100,
    redis: Callable[[float], float] = lambda _: 2,
    pending: Callable[[float], int] = lambda _: 10,
    failed: int = 0,
) -> Soaked:
    """`web` and `redis` in MiB, by the minute; each minute 1,000 keys and 10 blocks are made."""
    return Soaked(
        samples=[
            Sample(
                at=60.0 * minute,
                memory={"web": int(web(minute) * MIB), "worker": 1, "beat": 1},
                redis_bytes=int(redis(minute) * MIB + 1000 * minute * 200 + 10 * minute * 100),
                requests=int(1000 * minute),
                blocks=int(10 * minute),
                waiting={"pending rows": pending(minute)},
            )
            for minute in (step / 6 for step in range(6 * _MINUTES + 1))
        ],
        requests=1000,
        failed=failed,
        rate=1000,
        messages=600_000,
        resumed=1000,
        request_bytes=200,
        block_bytes=100,
        violations=[],
    )


def grown(one: Soaked) -> list[str]:
    return [line.name for line in lines(one) if not line.is_ok]


def test_what_is_flat_is_well_whatever_it_was_at_the_beginning() -> None:
    assert is_ok(soaked(web=lambda minute: 50 if minute < 2 else 100))


def test_a_part_that_goes_on_growing_is_told() -> None:
    growing = soaked(web=lambda minute: 100 + minute)

    assert grown(growing) == ["web"]
    assert not is_ok(growing)


def test_keys_of_requests_and_blocks_are_no_growth_of_redis() -> None:
    assert is_ok(soaked())
    assert grown(soaked(redis=lambda minute: 2 + minute / 10)) == [
        "Redis without keys of requests and blocks"
    ]


def test_what_piles_up_is_told() -> None:
    assert grown(soaked(pending=lambda minute: int(100 * minute))) == ["pending rows"]


def test_a_request_that_failed_is_not_well() -> None:
    assert not is_ok(soaked(failed=1))
