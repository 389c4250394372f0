"""The checks can fail: a system without one of its mechanisms breaks its promise under a fault.

The unmodified system passes each scenario. Each variant that the scenario targets fails it in the
expected way. The fault matrix and the audit give the verdict.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest

from chaos.evidence import Sort
from tests.broken import variants
from tests.broken.stage import Stage, Verdict
from tests.broken.variants import VARIANTS, Variant

pytestmark = [
    pytest.mark.stack,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("broker"),
]


def redis_is_lost_and_a_worker_killed(stage: Stage) -> None:
    stage.say("one", "two", "three")
    stage.redis.wipe_at_once()
    stage.kill_a_worker_before_its_insert()


def rabbitmq_is_lost_while_rows_are_queued(stage: Stage) -> None:
    stage.say("one")
    stage.work()
    stage.say("two", "three")
    stage.queue.lose_all()
    stage.say("four")


def a_number_is_taken_by_a_stranger(stage: Stage) -> None:
    stage.say("one")
    stage.store_a_stranger(2)
    assert stage.say("two", "three") == [2, 3]


def redis_is_lost_while_rows_are_queued(stage: Stage) -> None:
    stage.say("one", "two")
    stage.work()
    stage.say("three", "four")
    stage.redis.wipe_at_once()
    stage.say("five", "six")


def redis_is_put_back(stage: Stage) -> None:
    stage.say("one", "two")
    stage.redis.take_snapshot()
    stage.say("three", "four")
    stage.redis.put_back_snapshot()
    stage.say("five", "six")


@dataclass(frozen=True)
class Scenario:
    """What happens, what each variant breaks by it, and what an operator is told if none does."""

    happens: Callable[[Stage], None]
    breaks: Mapping[Variant, Sort]
    alarms: frozenset[str] = frozenset()


SCENARIOS = [
    Scenario(redis_is_lost_and_a_worker_killed, {variants.acknowledge_first: Sort.LOST}),
    Scenario(rabbitmq_is_lost_while_rows_are_queued, {variants.write_nothing_pending: Sort.LOST}),
    Scenario(
        a_number_is_taken_by_a_stranger,
        {variants.insert_ignore: Sort.LOST},
        alarms=frozenset({"dead_letters"}),
    ),
    Scenario(redis_is_lost_while_rows_are_queued, {variants.seed_from_stored_rows: Sort.DOUBLED}),
    Scenario(
        redis_is_put_back,
        {
            variants.examine_nothing: Sort.DOUBLED,
            variants.use_blocks_of_older_epochs: Sort.DOUBLED,
        },
    ),
]


OpenStage = Callable[[Variant], Stage]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.happens.__name__)
def test_the_system_as_it_is_keeps_every_promise(open_stage: OpenStage, scenario: Scenario) -> None:
    stage = open_stage(variants.nothing)

    scenario.happens(stage)
    stage.heal()

    assert stage.verdict() == Verdict(frozenset(), scenario.alarms)


@pytest.mark.parametrize(
    ("scenario", "variant", "sort"),
    [
        pytest.param(scenario, variant, sort, id=variant.__name__)
        for scenario in SCENARIOS
        for variant, sort in scenario.breaks.items()
    ],
)
def test_a_system_that_is_broken_is_found_out(
    open_stage: OpenStage, scenario: Scenario, variant: Variant, sort: Sort
) -> None:
    stage = open_stage(variant)

    scenario.happens(stage)
    stage.heal()

    verdict = stage.verdict()
    assert sort in verdict.broken
    # Without the mechanism nobody is told either what the system as it is would have told.
    assert not verdict.alarms & scenario.alarms


def test_every_variant_is_found_out() -> None:
    found_out = {variant for scenario in SCENARIOS for variant in scenario.breaks}

    assert {*VARIANTS.values()} == {variants.nothing, *found_out}
