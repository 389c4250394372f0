"""Goals are ratios within one run; a missing measurement gives no ratio."""

from bench.summary import Goal

FIGURES = {"rps": {"value": 500.0, "unit": "1/s", "ratio_to": {"other": 5.0}}}


def test_a_ratio_is_compared_with_what_is_aimed_at() -> None:
    goal = Goal("this / other", "rps", "other", at_least=5)

    assert goal.value(FIGURES) == 5.0
    assert goal.is_reached(5.0)
    assert not goal.is_reached(4.99)


def test_a_figure_may_have_a_most() -> None:
    goal = Goal("ms", "rps", at_most=499)

    assert goal.value(FIGURES) == 500.0
    assert not goal.is_reached(500.0)


def test_what_was_not_measured_is_left_out() -> None:
    assert Goal("x", "nothing", at_least=1).value(FIGURES) is None
    assert Goal("x", "rps", "nobody", at_least=1).value(FIGURES) is None
