"""No search shows a message from its erasure on, though the index is late."""

import pytest
from pytest_django import Settings

from infra import database
from messages_app.models import Message
from search.index import queries
from search.index_check import DifferenceKind, check, check_sample, repair
from search.models import BacklogEntry
from tests.api.client import Api
from tests.api.problems import assert_problem
from tests.api.test_paging import shown, walk
from tests.search.conftest import Settle
from tests.search.index import SearchIndex
from tests.search.test_application import application_of
from tests.search.test_bounds import may_read
from tests.search.test_filters import Address, address
from tests.search.test_indexing import key_of

__all__ = ["address"]


def erase(api: Api, chat: str, *numbers: int) -> None:
    for number in numbers:
        answer = api.client.delete(f"{api.base}{chat}/messages/{number}")
        assert answer.status_code == 204, answer.content


@pytest.mark.both
def test_an_erased_message_is_not_found(api: Api, settle: Settle, address: Address) -> None:
    chat = api.new_chat()
    api.say(chat, *(f"needle {number}" for number in range(1, 8)))
    backend = settle()

    erase(api, chat, 7, 5, 4, 1)

    first = api.get(address(chat), query="needle", limit=2)
    assert first["Search-Backend"] == backend
    assert [shown(first.json()), *walk(api, first.json(), "next")] == [[6, 3], [2]]
    settle()
    assert shown(api.get(address(chat), query="needle").json()) == [6, 3, 2]


@pytest.mark.stack
class TestIndex:
    """What only the index shows."""

    def test_its_document_goes_and_does_not_come_back(self, api: Api, index: SearchIndex) -> None:
        chat = api.new_chat()
        api.say(chat, "one", "two", "three")
        index.keep_up()
        erase(api, chat, 2)
        assert index.source(key_of(chat, 2))

        index.keep_up()

        assert index.source(key_of(chat, 2)) is None
        assert list(check()) == check_sample() == []

    def test_a_build_does_not_write_it(self, api: Api, index: SearchIndex) -> None:
        chat = api.new_chat()
        api.say(chat, "one", "two")
        erase(api, chat, 1)
        index.rebuild()

        assert index.source(key_of(chat, 1)) is None
        assert index.source(key_of(chat, 2))
        assert list(check()) == []

    def test_a_document_that_stayed_is_found_and_repaired(
        self, api: Api, index: SearchIndex
    ) -> None:
        chat = api.new_chat()
        api.say(chat, "one", "two")
        index.keep_up()
        erase(api, chat, 1)
        BacklogEntry.objects.all().delete()

        [difference] = list(check())
        assert (difference.key, difference.kind) == (key_of(chat, 1), DifferenceKind.EXTRA)

        repair([difference])
        assert index.source(key_of(chat, 1)) is None
        assert list(check()) == []

    def test_a_page_is_filled_from_further_hits_within_a_bound(
        self,
        api: Api,
        index: SearchIndex,
        settings: Settings,
        monkeypatch: pytest.MonkeyPatch,
        address: Address,
    ) -> None:
        monkeypatch.setattr(queries, "MAX_LIMIT", 2)
        monkeypatch.setattr(queries, "MAX_REQUESTS", 3)
        chat = api.new_chat()
        api.say(chat, *["needle"] * 9)
        index.keep_up()

        erase(api, chat, 9, 8, 7, 6)
        assert shown(api.get(address(chat), query="needle", limit=1).json()) == [5]

        erase(api, chat, 5, 4)
        beyond = api.get(address(chat), query="needle", limit=1)
        assert (beyond["Search-Backend"], shown(beyond.json())) == ("database", [3])
        may_read(settings, 1)
        refused = api.get(address(chat), query="needle", limit=1)
        assert_problem(refused, 503)
        assert refused["Retry-After"]

        index.keep_up()
        assert shown(api.get(address(chat), query="needle").json()) == [3, 2, 1]

    def test_searches_go_on_while_the_database_is_away(
        self, api: Api, index: SearchIndex, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        chat = api.new_chat()
        api.say(chat, "needle", "hay", "needle")
        index.keep_up()
        monkeypatch.setattr(database.database_breaker(), "is_open", True)

        answer = api.get(f"{application_of(chat)}/messages/search", query="needle")

        assert (answer["Search-Backend"], shown(answer.json())) == ("elasticsearch", [3, 1])
        assert Message.objects.count() == 3
