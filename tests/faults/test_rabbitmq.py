"""RabbitMQ is paused or killed under load: rows go to the database, and beat reconnects."""

import time

import pytest

from chaos import stack
from chaos.services import MemoryAlarm
from chaos.waiting import until
from infra.rabbitmq.queues import SEARCH
from infra.timeouts import BROKER_CONFIRM_SECONDS
from tests.faults.load import Load
from tests.faults.verdict import judge

pytestmark = [pytest.mark.stack, pytest.mark.faults]

#: Longer than it takes until beat wakes the search worker, so that a wake-up has failed.
OUTAGE_SECONDS = 15


def test_paused_so_that_a_confirm_comes_too_late(load: Load) -> None:
    assert_goes_on(load, "pause")


def test_killed(load: Load) -> None:
    assert_goes_on(load, "kill")


def assert_goes_on(load: Load, fault: str) -> None:
    """Clients go on while RabbitMQ is away, and so does beat when it is there again."""
    with load.running():
        with stack.broken(fault, "rabbitmq", lasting=OUTAGE_SECONDS):
            load.goes_on()
        load.goes_on()

    assert load.longest_wait() < 8
    judge(load)
    # Nobody writes, so the wake-ups are beat's.
    with stack.broken("stop", "worker"):
        # One from before may expire just when the next comes, and the number would stay the same.
        stack.purge(SEARCH)
        until(lambda: stack.queued(SEARCH), "the search worker is woken", 45)


def test_out_of_memory_it_costs_one_wait_and_no_more(load: Load) -> None:
    alarm = MemoryAlarm()
    alarm.prepare()
    with load.running():
        alarm.inject()
        try:
            load.goes_on()
            began = time.time()
            time.sleep(5)  # many times what a probe takes
            ended = time.time()
        finally:
            alarm.heal()
        load.goes_on()

    meanwhile = [attempt for attempt in load.journal if began < attempt.sent_at < ended]
    assert (
        max(attempt.answered_at - attempt.sent_at for attempt in meanwhile) < BROKER_CONFIRM_SECONDS
    )
    judge(load)
