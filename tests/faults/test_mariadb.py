"""MariaDB is down or read-only: Redis and the queue accept rows while numbers last."""

import os
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

from chaos import stack
from chaos.client import Client
from chaos.database import query
from chaos.healing import is_ready
from chaos.waiting import until
from infra.rabbitmq.queues import FAILED
from infra.timeouts import DATABASE_ANSWER_SECONDS
from tests.faults.load import Load
from tests.faults.verdict import judge

pytestmark = [pytest.mark.stack, pytest.mark.faults]

#: More than all processes have threads.
READERS = 48
OUTAGE_SECONDS = 70


def test_killed_for_more_than_a_minute_under_load(load: Load, client: Client) -> None:
    """Numbers are lent for about a minute, and the tasks of each minute fail at least once."""
    dead_letters = query("SELECT COUNT(*) FROM dead_letters")
    with load.running():
        until(lambda: len(load.accepted) > 1000, "numbers are lent for about a minute")
        with stack.broken("kill", "mariadb", lasting=OUTAGE_SECONDS):
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
    until(is_ready, "all is well", within=180)
    until(lambda: not stack.queued(FAILED), "nothing is left among the failed", within=90)
    assert query("SELECT COUNT(*) FROM dead_letters") == dead_letters


def test_a_server_that_hangs_keeps_nobody_from_health_and_metrics(
    load: Load, client: Client
) -> None:
    """Reads take all threads, the next ones wait for a thread, and later ones fail at once."""
    load.write(1)
    message = f"{load.chats[0].children}/1"

    def read(_: int = 0) -> int:
        with Client(answer_seconds=60) as http:
            return http.send("GET", message).status

    with (
        httpx.Client(base_url=os.environ["BASE_URL"], timeout=5) as operator,
        ThreadPoolExecutor(READERS) as readers,
    ):
        with stack.broken("pause", "mariadb"):
            reads = [readers.submit(read) for _ in range(READERS)]
            while not all(each.done() for each in reads):
                assert operator.get("/health/live").status_code == 200
                assert operator.get("/metrics").status_code == 200
            assert {each.result() for each in reads} == {503}

            began = time.monotonic()
            assert list(readers.map(read, range(READERS))) == [503] * READERS
            assert time.monotonic() - began < DATABASE_ANSWER_SECONDS / 2
        until(is_ready, "all is well")
    assert client.send("GET", message).status == 200


@contextmanager
def read_only() -> Iterator[None]:
    """The server answers, and takes no writes of anybody but its administrator."""
    set_globally("read_only=1")
    try:
        yield
    finally:
        set_globally("read_only=0")


def set_globally(setting: str) -> None:
    [(server,)] = query("SELECT @@socket")
    command = ["mariadb", "--no-defaults", f"--socket={server}", "--user=root"]
    subprocess.run([*command, f"--execute=SET GLOBAL {setting}"], check=True)


def test_a_server_that_takes_no_writes_degrades_and_loses_nothing(
    load: Load, client: Client
) -> None:
    load.write(5)
    message = f"{load.chats[0].children}/1"

    with read_only():
        until(lambda: not is_ready(), "it is told", within=3)
        load.write(5)
        edited = client.send("PATCH", message, {"body": "edited"})
        assert (edited.status, bool(edited.retry_after)) == (503, True)
        assert client.send("GET", message).status == 200

    until(is_ready, "all is well")
    assert client.send("PATCH", message, client.get(message)).status == 200
    judge(load)
