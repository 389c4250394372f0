"""An index build ends complete despite concurrent writes, interruptions and a lost index."""

import pytest
from django.core.management import call_command

from infra.jobs import JobIsRunning
from search import index_build
from search.errors import NoIndex
from search.index import lifecycle
from search.index.layout import layout
from search.index_check import check
from search.indexer import run_indexer
from tests.api.client import Api
from tests.search.index import SearchIndex

SMALL = 3


@pytest.fixture
def chat(api: Api, index: SearchIndex, monkeypatch: pytest.MonkeyPatch) -> str:
    """A chat of ten messages, all of them indexed; copies go in small steps."""
    monkeypatch.setattr(index_build, "ROWS", SMALL)
    chat = api.new_chat()
    api.say(chat, *(f"message {number}" for number in range(10)))
    index.keep_up()
    return chat


def assert_in_step() -> None:
    assert list(check()) == []


def test_a_new_index_takes_over_and_the_old_one_goes(index: SearchIndex, chat: str) -> None:
    before = index.names()

    index_build.begin()
    assert len(index.names()) == 2
    assert index_build.resume()

    assert index.names() == {layout().live}
    assert not before & index.names()
    assert layout().build is None
    assert_in_step()


def test_nobody_else_goes_on_with_what_a_rebuild_has_begun(
    index: SearchIndex, chat: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    create, refused = lifecycle.create, []

    def create_and_be_overtaken(name: str) -> None:
        create(name)
        with pytest.raises(JobIsRunning) as error:
            index_build.resume()
        refused.append(error)

    monkeypatch.setattr(lifecycle, "create", create_and_be_overtaken)
    call_command("search", "rebuild", "--json")

    assert len(refused) == 1
    assert index.names() == {layout().live}
    assert_in_step()


def test_writes_and_edits_go_on_meanwhile(api: Api, index: SearchIndex, chat: str) -> None:
    index_build.begin()
    rounds = 0

    def meanwhile(_: object) -> None:
        nonlocal rounds
        rounds += 1
        api.put(f"{chat}/messages/1", {"body": "edited, behind the copy"})
        api.put(f"{chat}/messages/10", {"body": "edited, before the copy"})
        api.say(chat, "new")
        index.keep_up()
        assert api.get(f"{chat}/messages/search", query="new").json()["results"]
        # Each time in the backlog, also when the new index takes over.
        api.say(chat, "late")

    assert index_build.resume(on_progress=meanwhile)
    index.keep_up()

    assert rounds == 4
    assert_in_step()


def test_who_goes_on_begins_where_the_one_before_was_interrupted(
    index: SearchIndex, chat: str
) -> None:
    index_build.begin()
    seen: list[int] = []
    assert not index_build.resume(
        should_stop=lambda: True, on_progress=lambda copied: seen.append(copied.done)
    )
    assert not index_build.resume(
        should_stop=lambda: True, on_progress=lambda copied: seen.append(copied.done)
    )
    assert index_build.resume(on_progress=lambda copied: seen.append(copied.done))

    assert len(seen) == len(set(seen)) == 4
    assert_in_step()


def test_a_build_is_begun_once_unless_it_is_given_up(index: SearchIndex, chat: str) -> None:
    index_build.begin()
    first = layout().build
    index_build.begin()
    assert layout().build == first

    index_build.begin(anew=True)

    assert layout().build != first
    assert index.names() == {layout().live, layout().build}


def test_an_index_without_a_role_is_cleared_away(index: SearchIndex, chat: str) -> None:
    name = f"{layout().live}-stray"
    index.server.indices.create(index=name)

    index_build.begin()
    index_build.resume()

    assert name not in index.names()


def test_a_build_that_vanishes_takes_nothing_with_it(index: SearchIndex, chat: str) -> None:
    index_build.begin()

    with pytest.raises(NoIndex):
        index_build.resume(on_progress=lambda _: lifecycle.remove(str(layout().build)))

    assert layout().build is None
    assert_in_step()


def test_after_a_wipe_the_worker_builds_the_index_and_meanwhile_the_table_answers(
    api: Api, index: SearchIndex, chat: str
) -> None:
    index.wipe()
    api.say(chat, "written without an index")
    answer = api.get(f"{chat}/messages/search", query="without")
    assert answer["Search-Backend"] == "database"
    assert len(answer.json()["results"]) == 1

    run_indexer()

    assert_in_step()
    answer = api.get(f"{chat}/messages/search", query="without")
    assert answer["Search-Backend"] == "elasticsearch"


def test_an_index_that_is_not_complete_is_not_searched(
    api: Api, index: SearchIndex, chat: str
) -> None:
    index.wipe()
    index_build.begin()
    index_build.resume(should_stop=lambda: True)

    answer = api.get(f"{chat}/messages/search", query="message")

    assert answer["Search-Backend"] == "database"
    assert len(answer.json()["results"]) == 10
