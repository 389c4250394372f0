"""Beat goes on sending what is due when RabbitMQ is there again."""

import pytest

from chaos import stack
from chaos.waiting import until
from infra.rabbitmq.queues import SEARCH

pytestmark = [pytest.mark.stack, pytest.mark.faults]


@pytest.mark.parametrize("fault", ["kill", "pause"])
def test_it_connects_anew(fault: str) -> None:
    # Longer than a wake-up is due, so that one has failed.
    with stack.broken(fault, "rabbitmq", lasting=15):
        pass

    # Nobody writes, so the wake-ups are its own.
    with stack.broken("stop", "worker"):
        # One from before may expire just when the next comes, and the number would stay the same.
        stack.purge(SEARCH)
        until(lambda: stack.queued(SEARCH), "the search worker is woken", 45)
