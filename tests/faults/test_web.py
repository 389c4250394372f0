"""The web server is stopped, killed or replaced while clients write."""

import pytest

from chaos import stack
from chaos.deploy import Deploy
from chaos.parent import Parent
from tests.faults.load import Load
from tests.faults.streams import followed, misheard
from tests.faults.verdict import judge

pytestmark = [pytest.mark.stack, pytest.mark.faults]


def test_stopped_under_load(load: Load) -> None:
    with load.running():
        with stack.broken("stop", "web"):
            pass
        load.goes_on()

    judge(load)


def test_killed_under_load(load: Load) -> None:
    with load.running():
        for _ in range(2):
            with stack.broken("kill", "web"):
                pass
            load.goes_on()

    judge(load)


def test_replaced_process_by_process_under_load(load: Load) -> None:
    with load.running():
        Deploy().inject()
        load.goes_on()

    judge(load)


def test_replaced_process_by_process_under_a_thousand_streams(chats: list[Parent]) -> None:
    load = Load(chats, interval=0.5)
    with followed(chats * (1000 // len(chats))) as followers:
        with load.running():
            Deploy().inject()
            load.goes_on()
        judge(load)

        assert misheard(followers) == []
    assert not load.failed
    assert all(one.opened > 1 for one in followers)
    assert not [failure for one in followers for failure in one.failures]
