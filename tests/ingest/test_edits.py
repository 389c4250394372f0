"""Edits that share a transaction have outcomes of their own, and events in their order."""

import pytest

from events.models import ApplicationEvent
from infra.errors import Stale
from infra.versions import Versions
from ingest.edits import Edit, Erased, edit_together
from ingest.erasure import erase
from ingest.records import Key
from messages_app.models import Message
from messages_app.records import MESSAGES
from tests.api.client import Api

SEEN_FIRST = Versions(seen=frozenset({1}))


@pytest.fixture
def keys(api: Api) -> list[Key]:
    """Three stored messages."""
    chat = api.new_chat()
    api.say(chat, "one", "two", "three")
    return sorted(Message.objects.values_list(*MESSAGES.key_fields))


def edit(key: Key, body: str, expected: Versions | None = None) -> Edit:
    return Edit(MESSAGES, key, expected, {"body": body})


def bodies() -> list[str]:
    return list(Message.objects.order_by("message_number").values_list("body", flat=True))


def test_each_edit_has_its_own_outcome(transactional_db: None, keys: list[Key]) -> None:
    one, two, three = keys
    erase(MESSAGES, two)

    outcomes = edit_together(
        [
            edit(three, "3"),
            edit(two, "2"),
            edit((*one[:2], 4), "4"),
            edit(one, "1", SEEN_FIRST),
            edit(one, "I", SEEN_FIRST),
        ]
    )

    changed, erased, missing, first, second = outcomes
    assert isinstance(changed, Message)
    assert isinstance(erased, Erased)
    assert missing is None
    assert isinstance(first, Message)
    assert isinstance(second, Stale)
    assert bodies() == ["1", "", "3"]


def test_two_edits_of_one_row_are_two_versions_and_two_events(
    transactional_db: None, keys: list[Key]
) -> None:
    outcomes = edit_together([edit(keys[0], "a"), edit(keys[0], "b")])

    assert [row.version for row in outcomes if isinstance(row, Message)] == [2, 3]
    assert bodies()[0] == "b"
    events = ApplicationEvent.objects.filter(type="message.updated").order_by("event_number")
    assert list(events.values_list("first_number", "version")) == [(1, 2), (1, 3)]


@pytest.mark.stack
def test_values_that_the_database_refuses_are_the_error_of_their_edit_alone(
    transactional_db: None, keys: list[Key]
) -> None:
    outcomes = edit_together(
        [Edit(MESSAGES, keys[0], None, {"sender": "x" * 1000}), edit(keys[1], "fine")]
    )

    assert isinstance(outcomes[0], Exception)
    assert isinstance(outcomes[1], Message)
    assert bodies()[1] == "fine"
