"""Costs are compared within rounds, and messages go to the chats that a size names."""

from collections.abc import Sequence
from dataclasses import asdict

import pytest

from bench.many_chats import ManyChats
from bench.report import Figure
from bench.scale import WITH_KEYS, Cost, Memory, cost_figures, memory_figures, name_of
from bench.summary import GOALS
from bench.wrk import Load

ONE = ManyChats({"a": "key"}, 1_000_000)
SEVERAL = ManyChats({f"{number}": "key" for number in range(10_000)}, 100)


def costs(*ms: float) -> Sequence[Cost]:
    """Costs of rounds, each of two parts; a message that costs more is accepted more slowly."""
    return [
        Cost(
            {"web": each / 4, "worker": 3 * each / 4},
            Load(
                requests=round(1000 / each),
                seconds=1.0,
                refused=0,
                broken=0,
                p50_ms=1.0,
                p99_ms=2.0,
                stolen=0.0,
                busy_seconds=1.0,
            ),
        )
        for each in ms
    ]


def figures() -> dict[str, Figure]:
    by_size = {
        name_of(ONE, 1000): costs(1, 2, 4),
        name_of(ONE, 1_000_000): costs(1.1, 2.2, 4),
        name_of(SEVERAL, 1_000_000): costs(1.2, 2.4, 4.8),
        name_of(ONE, 1000) + WITH_KEYS: costs(2, 2, 2),
        name_of(SEVERAL, 1_000_000) + WITH_KEYS: costs(3, 3, 3),
    }
    memory = Memory(
        before=2_000_000, with_blocks=160_000_000, after=3_000_000, handed_back=100, seconds=5
    )
    return cost_figures(costs(2, 2), by_size, costs(8)) | memory_figures(memory, 1_000_000)


def test_a_slow_round_does_not_count_as_growth() -> None:
    of_1m = figures()["scale_1m_ms"]

    assert of_1m.value == pytest.approx(2.2)
    assert of_1m.ratio_to["smallest"] == pytest.approx(1.1)
    assert of_1m.ratio_to["alone"] == pytest.approx(1.1)


@pytest.mark.parametrize(
    ("figure", "to", "value"),
    [
        ("scale_1m_ms", "smallest", 1.1),
        ("scale_1m_of_10k_ms", "smallest", 1.2),
        ("scale_1m_of_10k_with_keys_ms", "smallest", 1.5),
        ("scale_1k_ms", "alone", 1.0),
        ("redis_1m_idle_mb", "", 3.0),
    ],
)
def test_each_goal_has_its_figure(figure: str, to: str, value: float) -> None:
    [goal] = [one for one in GOALS if (one.figure, one.to) == (figure, to)]

    assert goal.value({name: asdict(one) for name, one in figures().items()}) == pytest.approx(
        value
    )


def test_messages_go_to_the_first_chats_of_all_applications() -> None:
    drawn = list(SEVERAL.draw(20_000, 1000))

    assert {chat.number for chat in drawn} == {1, 2}
    assert len({chat.token for chat in drawn}) > 900
    assert {chat.number for chat in ONE.draw(3, 100)} == {1, 2, 3}


def test_no_round_repeats_the_chats_of_the_one_before() -> None:
    first, second = (set(ONE.draw(1_000_000, 100)) for _ in range(2))

    assert not first & second
