"""MariaDB is away for half a minute: Redis and the queue accept what they have numbers for."""

import time

import pytest

from tests.faults import stack
from tests.faults.client import Client
from tests.faults.load import Load
from tests.faults.verdict import judge
from tests.faults.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.faults]


def test_killed_under_load(load: Load, client: Client) -> None:
    with load.running():
        until(lambda: len(load.accepted) > 1000, "numbers are lent for about a minute")
        with stack.broken("kill", "mariadb", lasting=30):
            down_at = time.monotonic()
            load.goes_on()
            read = client.send("GET", f"{load.chats[0].messages}/1")
            assert (read.status, bool(read.retry_after)) == (503, True)
        up_at = time.monotonic()
        load.goes_on()

    meanwhile = [attempt for attempt in load.journal if down_at < attempt.sent_at < up_at]
    assert {attempt.status for attempt in meanwhile} <= {201, 503}
    assert [attempt for attempt in meanwhile if attempt.is_accepted]
    judge(load)
