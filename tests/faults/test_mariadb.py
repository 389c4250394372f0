"""MariaDB is away for half a minute: Redis and the queue accept what they have numbers for."""

import time

import pytest

from chaos import stack
from chaos.client import Client
from chaos.waiting import until
from tests.faults.load import Load
from tests.faults.verdict import judge

pytestmark = [pytest.mark.stack, pytest.mark.faults]


def test_killed_under_load(load: Load, client: Client) -> None:
    with load.running():
        until(lambda: len(load.accepted) > 1000, "numbers are lent for about a minute")
        with stack.broken("kill", "mariadb", lasting=30):
            down_at = time.time()
            load.goes_on()
            read = client.send("GET", f"{load.chats[0].children}/1")
            assert (read.status, bool(read.retry_after)) == (503, True)
        up_at = time.time()
        load.goes_on()

    meanwhile = [attempt for attempt in load.journal if down_at < attempt.sent_at < up_at]
    assert {attempt.status for attempt in meanwhile} <= {201, 503}
    assert [attempt for attempt in meanwhile if attempt.is_accepted]
    judge(load)
