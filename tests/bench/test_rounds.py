"""The compared subjects alternate, and the order reverses."""

from functools import partial

from bench.rounds import interleave


def test_each_measure_is_taken_once_a_round_in_an_order_that_turns_around() -> None:
    order: list[str] = []

    results = interleave(
        {name: partial(order.append, name) for name in "abc"}, rounds=3, warm_ups=1
    )

    assert order == [*"cba", *"abc", *"cba", *"abc"]
    assert {name: len(each) for name, each in results.items()} == {"a": 3, "b": 3, "c": 3}
