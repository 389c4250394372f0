"""RabbitMQ is paused or killed under load: what it does not take goes straight to the database."""

import pytest

from chaos import stack
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
