"""An index of another release is noticed, told, not searched, and replaced."""

import pytest

from search import health, index_build
from search.fold_and_highlight import FORMAT
from search.index.layout import layout
from search.index_check import check
from search.indexer import run_indexer
from tests.api.client import Api
from tests.api.test_paging import shown
from tests.audit.results import audit
from tests.logs.conftest import Log, log
from tests.search.index import SearchIndex

__all__ = ["log"]


@pytest.fixture
def chat(api: Api, index: SearchIndex, monkeypatch: pytest.MonkeyPatch) -> str:
    """A chat in an index of the release before."""
    chat = api.new_chat()
    api.say(chat, "a needle", "hay")
    index.keep_up()
    monkeypatch.setattr("search.index.layout.FORMAT", FORMAT + 1)
    return chat


def search(api: Api, chat: str) -> tuple[str, list[int]]:
    answer = api.get(f"{chat}/messages/search", query="needle")
    return answer["Search-Backend"], shown(answer.json())


def test_the_database_answers_until_it_is_replaced(
    api: Api, index: SearchIndex, chat: str, log: Log
) -> None:
    before = index.names()
    assert search(api, chat) == ("database", [1])
    with pytest.raises(Exception, match="of another release"):
        health._probe_index()
    assert "of another release" in audit().details("index")

    run_indexer()

    assert log.of("index.outdated")
    assert search(api, chat) == ("elasticsearch", [1])
    assert not before & index.names()
    assert layout().outdated == {}
    assert list(check()) == []
    health._probe_index()


def test_it_stays_as_it_was_until_then(
    api: Api, index: SearchIndex, chat: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the release before can be started again."""
    index_build.begin()
    api.say(chat, "a needle too")
    assert len(index.names()) == 2

    monkeypatch.setattr("search.index.layout.FORMAT", FORMAT)

    assert search(api, chat) == ("elasticsearch", [1])
