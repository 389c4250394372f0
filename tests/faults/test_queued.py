"""A thousand rows are in both Redis and the queue, and one of the two loses them all."""

import pytest

from chaos import stack
from chaos.client import Answer, Client
from chaos.parent import Parent
from chaos.waiting import until
from tests.faults.load import Load
from tests.faults.verdict import judge, not_stored

pytestmark = [pytest.mark.stack, pytest.mark.faults]

CLIENTS = 20
EACH = 50
#: On a slow machine a confirm may come too late for a few, which then go into the table at once.
MOST = 0.7 * CLIENTS * EACH


@pytest.fixture
def load(chats: list[Parent]) -> Load:
    """Twenty clients in four chats."""
    return Load([chats[number % len(chats)] for number in range(CLIENTS)])


def test_what_the_queue_has_lost_is_swept(load: Load) -> None:
    with stack.broken("stop", "worker"):
        load.write(EACH)
        assert len(not_stored(load)) > MOST
        with stack.broken("wipe", "rabbitmq"):
            pass

    until(lambda: is_swept(load), "all is swept", within=180, every=5)

    judge(load)


def test_what_redis_has_lost_comes_by_the_queue(
    load: Load, client: Client, chats: list[Parent]
) -> None:
    def create_once() -> Answer:
        application = Parent(chats[0].token)
        return client.send("POST", application.children, {"name": "x"}, {"Idempotency-Key": "x"})

    with stack.broken("stop", "worker"):
        first = create_once()
        load.write(EACH)
        queued = not_stored(load)
        assert len(queued) > MOST
        with stack.broken("wipe", "redis"):
            pass
        shown = client.send("GET", f"{queued[0].request.parent.children}/{queued[0].number}")
        repeated = create_once()
        for answer in (shown, repeated):
            assert (answer.status, bool(answer.retry_after)) == (503, True)
    load.write(5)
    until(lambda: create_once().document == first.document, "the repeat gets the first answer")

    judge(load)


def is_swept(load: Load) -> bool:
    """Whether all is stored after a sweep, or after that of beat which is under way."""
    stack.manage("sweep")
    return not not_stored(load)
