"""The goals name figures and ratios that measurements make."""

from collections.abc import Sequence
from dataclasses import asdict

import pytest

from bench import accepting, mixed, reads
from bench.report import Figure
from bench.rivals.designs import CREATORS
from bench.routes import MIX
from bench.summary import GOALS
from bench.wrk import Load

SLOW, FAST = 100, 400


def _loads(requests: int) -> Sequence[Load]:
    return [
        Load(
            requests=requests,
            seconds=1.0,
            refused=0,
            broken=0,
            p50_ms=1.0,
            p99_ms=2.0,
            stolen=0.0,
            busy_seconds=1.0,
        )
    ]


def _of_reads() -> dict[str, Figure]:
    ours = {name: _loads(FAST) for name in reads._ROUTES}
    rivals = {one.name for route in reads._ROUTES.values() for one in route.rivals}
    return reads.figures_of(ours | {name: _loads(SLOW) for name in rivals})


def _of_mixed() -> dict[str, Figure]:
    both = {"mixed": _loads(FAST), "stock_mixed": _loads(SLOW)}
    return mixed.figures_of(both, both, {route: _loads(FAST) for route in MIX})


def _of_creates() -> dict[str, Figure]:
    rivals = {one.name: _loads(SLOW) for one in CREATORS}
    return accepting._side_by_side({accepting.THIS: _loads(FAST), **rivals})


@pytest.mark.parametrize(
    ("figure", "to", "value"),
    [
        ("post_message_rps", "textbook_indexed", 4.0),
        ("post_message_rps", "textbook", 4.0),
        ("post_message_rps", "sync", 4.0),
        ("post_message_rps", "noop_django", 4.0),
        ("post_message_rps", "noop_drf", 4.0),
        ("get_item_rps", "noop_django", 4.0),
        ("get_item_rps", "stock_item", 4.0),
        ("get_item_304_rps", "item", 1.0),
        ("get_list_rps", "stock_list", 4.0),
        ("search_rps", "stock_search", 4.0),
        ("edit_rps", "stock_edit", 4.0),
        ("mixed_rps", "stock_mixed", 4.0),
        ("mixed_half_rate_p99_ms", "", 2.0),
    ],
)
def test_each_goal_has_its_figure(figure: str, to: str, value: float) -> None:
    figures = {
        name: asdict(one) for name, one in (_of_creates() | _of_reads() | _of_mixed()).items()
    }
    [goal] = [one for one in GOALS if (one.figure, one.to) == (figure, to)]

    assert goal.value(figures) == value


def test_each_route_of_the_mix_has_its_latency() -> None:
    names = {f"mixed_{route}_{percentile}_ms" for route in MIX for percentile in ("p50", "p99")}

    assert names <= _of_mixed().keys()
