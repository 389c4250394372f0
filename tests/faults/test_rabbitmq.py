"""RabbitMQ is paused or killed under load: what it does not take goes straight to the database."""

import time

import pytest

from chaos import stack
from chaos.services import MemoryAlarm
from infra.timeouts import BROKER_CONFIRM_SECONDS
from tests.faults.load import Load
from tests.faults.verdict import judge

pytestmark = [pytest.mark.stack, pytest.mark.faults]


def test_paused_so_that_a_confirm_comes_too_late(load: Load) -> None:
    with load.running():
        with stack.broken("pause", "rabbitmq", lasting=10):
            load.goes_on()
        load.goes_on()

    assert load.longest_wait() < 8
    judge(load)


def test_killed(load: Load) -> None:
    with load.running():
        with stack.broken("kill", "rabbitmq", lasting=10):
            load.goes_on()
        load.goes_on()

    assert load.longest_wait() < 8
    judge(load)


def test_out_of_memory_it_costs_one_wait_and_no_more(load: Load) -> None:
    alarm = MemoryAlarm()
    alarm.prepare()
    with load.running():
        alarm.inject()
        try:
            load.goes_on()
            began = time.time()
            time.sleep(10)  # many times what a probe takes
            ended = time.time()
        finally:
            alarm.heal()
        load.goes_on()

    meanwhile = [attempt for attempt in load.journal if began < attempt.sent_at < ended]
    assert (
        max(attempt.answered_at - attempt.sent_at for attempt in meanwhile) < BROKER_CONFIRM_SECONDS
    )
    judge(load)
