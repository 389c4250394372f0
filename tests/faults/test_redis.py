"""Redis is restarted, killed, paused, wiped or rolled back: numbers may skip but never repeat."""

from pathlib import Path

import pytest

from chaos import stack
from chaos.database import authority, query, until_numbers_are_of
from chaos.redis_data import older_redis
from tests.faults.load import Load
from tests.faults.verdict import judge

pytestmark = [pytest.mark.stack, pytest.mark.faults]


@pytest.fixture
def nobody_silent() -> None:
    """No process was killed of which nobody knows what it had seen: that takes a new epoch."""
    query("DELETE FROM numbering_processes WHERE seen_at < UTC_TIMESTAMP() - INTERVAL 3 SECOND")


@pytest.mark.usefixtures("nobody_silent")
def test_a_restart_between_messages_leaves_no_gap(load: Load) -> None:
    load.write(5)

    with stack.broken("stop", "redis"):
        pass
    load.write(5)

    assert authority() == load.authority
    judge(load)


def test_killed_under_load(load: Load) -> None:
    with load.running():
        with stack.broken("kill", "redis", lasting=10):
            until_numbers_are_of("database")
            load.goes_on()
        until_numbers_are_of("redis")
        load.goes_on()

    assert load.longest_wait() < 8
    judge(load)


def test_emptied(load: Load) -> None:
    load.write(5)

    with stack.broken("wipe", "redis"):
        pass
    load.write(5)

    assert authority() > load.authority
    judge(load)


def test_set_back_to_an_older_copy(load: Load, tmp_path: Path) -> None:
    load.write(5)

    with older_redis(tmp_path / "copy"):
        load.write(5)
    load.write(5)

    assert authority() > load.authority
    judge(load)


def test_paused_under_load(load: Load) -> None:
    with load.running():
        with stack.broken("pause", "redis", lasting=10):
            until_numbers_are_of("database")
            load.goes_on()
        until_numbers_are_of("redis")
        load.goes_on()

    assert load.longest_wait() < 8
    judge(load)
