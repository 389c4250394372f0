"""Rows that are queued: their events are written once, in the transaction that stores them."""

import pytest

from tests.api.client import Api
from tests.events.rows import Happened, log_of
from tests.pipeline.backlog import Backlog
from tests.pipeline.conftest import backlog

__all__ = ["backlog"]


@pytest.fixture
def chat(api: Api, backlog: Backlog) -> str:
    """A pending chat."""
    return api.new_chat()


def test_a_queued_row_has_its_event_when_it_is_stored(
    api: Api, backlog: Backlog, chat: str
) -> None:
    api.say(chat, "one", "two")
    assert log_of(chat) == []

    backlog.work()

    assert log_of(chat) == [
        Happened("chat.created", 1),
        Happened("message.created", 1, 1, 2),
    ]


def test_a_pending_row_that_is_edited_or_erased_is_created_first(
    api: Api, backlog: Backlog, chat: str
) -> None:
    api.say(chat, "one", "two", "three")

    api.patch(f"{chat}/messages/2", {"body": "edited"})
    api.delete(f"{chat}/messages/3")
    backlog.work()

    assert log_of(chat) == [
        Happened("message.created", 1, 2, 2),
        Happened("message.updated", 1, 2, 2, version=2),
        Happened("message.created", 1, 3, 3),
        Happened("message.erased", 1, 3, 3, version=2),
        Happened("chat.created", 1),
        Happened("message.created", 1, 1, 1),
    ]
