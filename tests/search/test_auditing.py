"""The audit compares index and table, and reports where it cannot."""

import pytest
from pytest_django import Settings

from messages_app.models import Message
from search import index_check
from search.models import BacklogEntry
from tests.api.client import Api
from tests.audit.results import audit
from tests.pipeline.proxy import Proxy
from tests.search.index import SearchIndex
from tests.search.test_indexing import key_of


@pytest.fixture
def chat(api: Api, index: SearchIndex) -> str:
    """A chat whose messages are indexed."""
    chat = api.new_chat()
    api.say(chat, "one", "two", "three")
    index.keep_up()
    return chat


def test_what_is_different_is_found(index: SearchIndex, chat: str) -> None:
    assert "index" not in {check for check, _ in audit().sorts}
    Message.objects.filter(message_number=2).delete()

    [finding] = [one for one in audit().findings if one["check"] == "index"]

    token, chat_number, _ = key_of(chat, 2)
    assert finding == {
        "check": "index",
        "severity": "error",
        "application_token": token,
        "chat_number": chat_number,
        "detail": f"message {token}/{chat_number}/2: its document is extra",
    }


def test_a_backlog_that_is_not_worked_off_is_no_error_at_first(
    api: Api, chat: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_check, "WAIT_SECONDS", 0.3)
    api.say(chat, "four")
    assert ("index", "info") in audit().sorts

    entry = BacklogEntry.objects.get()
    entry.recorded_at = entry.recorded_at.replace(year=2020)
    entry.save(update_fields=["recorded_at"])
    assert ("index", "error") in audit().sorts


def test_an_index_that_is_lost_leaves_searches_to_the_database(
    index: SearchIndex, chat: str
) -> None:
    index.wipe()

    result = audit()

    assert ("index", "info") in result.sorts
    assert "no index is complete" in result.details("index")


def test_elasticsearch_that_is_away_is_unreachable(chat: str, way: Proxy) -> None:
    way.close()

    result = audit()

    assert (result.status, result.ok) == (1, False)
    assert ("unreachable", "error") in result.sorts
    assert "the search index" in result.details("unreachable")


def test_elasticsearch_that_is_switched_off_is_told(db: None, settings: Settings) -> None:
    assert audit().ok
