"""Bulk creates with numbers from Redis."""

from tests.api.client import Api
from tests.api.test_bulk import bulk
from tests.api.test_paging import shown
from tests.pipeline.backlog import Backlog, stored


def test_numbers_are_consecutive_across_leases(api: Api, backlog: Backlog, chat: str) -> None:
    assert shown(bulk(api, chat, *"abc").json()) == [1, 2, 3]
    # Several times what a block holds at first.
    numbers = [shown(bulk(api, chat, *"x" * 100).json()) for _ in range(4)]

    assert [number for some in numbers for number in some] == list(range(4, 404))
    assert shown(api.get(f"{chat}/messages", limit=200, after=250).json()) == list(range(251, 404))
    backlog.work()
    assert stored() == list(range(1, 404))


def test_a_pending_chat_takes_many(api: Api, backlog: Backlog) -> None:
    chat = api.new_chat()

    assert shown(bulk(api, chat, *"x" * 500).json()) == list(range(1, 501))

    backlog.work()
    assert stored() == list(range(1, 501))
