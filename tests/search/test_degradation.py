"""Elasticsearch is down: search falls back to the table if possible; nothing else is affected."""

import pytest
from pytest_django import Settings

from infra import database
from search.index import queries
from search.service import MAX_QUERY_CHARACTERS
from tests.api.client import Api
from tests.api.problems import assert_problem
from tests.api.test_paging import shown
from tests.live.servers import eventually
from tests.pipeline.proxy import Proxy
from tests.search.index import SearchIndex

WITHIN_S = 20


@pytest.fixture
def chat(api: Api, index: SearchIndex) -> str:
    """A chat of which everything is indexed."""
    chat = api.new_chat()
    api.say(chat, "needle", "hay", "a NEEDLE")
    index.keep_up()
    return chat


def search(api: Api, chat: str) -> tuple[str, list[int]]:
    answer = api.get(f"{chat}/messages/search", query="needle")
    return answer["Search-Backend"], shown(answer.json())


def test_a_connection_that_was_closed_is_replaced(api: Api, chat: str, way: Proxy) -> None:
    assert search(api, chat) == ("elasticsearch", [3, 1])

    way.cut()

    assert search(api, chat) == ("elasticsearch", [3, 1])


def test_the_table_answers_while_elasticsearch_refuses(api: Api, chat: str, way: Proxy) -> None:
    assert search(api, chat) == ("elasticsearch", [3, 1])
    way.close()
    assert search(api, chat) == ("database", [3, 1])

    way.open()

    eventually(lambda: search(api, chat) == ("elasticsearch", [3, 1]), WITHIN_S, "it is back")


def test_an_elasticsearch_that_hangs_costs_its_patience_once(
    api: Api, chat: str, way: Proxy
) -> None:
    way.freeze()
    assert search(api, chat) == ("database", [3, 1])
    assert queries.breaker().is_open

    # Asked again it would hang again, and be closed by this.
    assert search(api, chat) == ("database", [3, 1])

    way.thaw()
    eventually(lambda: search(api, chat)[0] == "elasticsearch", WITHIN_S, "it is back")


def test_a_chat_that_is_too_large_to_scan_is_said_to_be_so(
    api: Api, chat: str, way: Proxy, settings: Settings
) -> None:
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update={"search_scan_messages": 2})
    assert search(api, chat)[0] == "elasticsearch"
    way.close()

    refused = api.get(f"{chat}/messages/search", query="needle")

    assert_problem(refused, 503)
    assert refused["Retry-After"]


def test_writing_and_editing_go_on_and_are_found_afterwards(
    api: Api, chat: str, index: SearchIndex, way: Proxy
) -> None:
    way.close()
    [number] = api.say(chat, "new needle")
    assert api.put(f"{chat}/messages/1", {"body": "hay now"}).status_code == 200

    way.open()
    index.keep_up()

    eventually(
        lambda: search(api, chat) == ("elasticsearch", [number, 3]), WITHIN_S, "all is found"
    )


def test_search_goes_on_while_the_database_is_away(
    api: Api, chat: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = api.new_chat()
    monkeypatch.setattr(database.database_breaker(), "is_open", True)

    assert search(api, chat) == ("elasticsearch", [3, 1])
    nothing = api.get(f"{chat}/messages/search", query="x" * MAX_QUERY_CHARACTERS)
    assert (nothing.status_code, shown(nothing.json())) == (200, [])
    # Nobody can say whether this one is there: no message of it is.
    assert_problem(api.get(f"{empty}/messages/search", query="needle"), 503)
