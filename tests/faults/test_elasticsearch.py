"""Elasticsearch is killed, wiped or rebuilt under load: only search is affected, and recovers."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import pytest

from chaos import stack
from chaos.client import Client
from chaos.parent import Parent
from chaos.waiting import until
from tests.faults.load import Load
from tests.faults.verdict import judge

pytestmark = [pytest.mark.stack, pytest.mark.faults]


@contextmanager
def readers_and_editors(chat: Parent) -> Iterator[list[int]]:
    """Others read, list and edit meanwhile; yields the statuses that they get."""
    end, statuses = Event(), [200]

    def go_on() -> None:
        with Client() as http:
            while not end.wait(0.05):
                edit = {"body": f"edit {len(statuses)}"}
                statuses.append(http.send("PUT", f"{chat.children}/1", edit).status)
                statuses.extend(
                    [
                        http.send("GET", chat.children + path).status
                        for path in ("/1", "?limit=5&order=desc", "/search?query=edit")
                    ]
                )

    thread = Thread(target=go_on)
    thread.start()
    try:
        yield statuses
    finally:
        end.set()
        thread.join()


@pytest.fixture(scope="module", autouse=True)
def index_of_the_table() -> None:
    """Tests on the same stack may have taken rows out of the table as nobody else does."""
    until(has_rebuilt_the_index, "no other build is under way, such as that of a new stack", 120)


@pytest.fixture
def edited() -> Parent:
    """A chat of its own, since the load's verdict knows of no edits."""
    with Client() as http:
        [chat] = http.new_chats(1)
        http.create(chat.children, body="to be edited")
    return chat


def has_rebuilt_the_index() -> bool:
    return stack.manage("search", "rebuild", "--json").returncode == 0


def index_is_in_step() -> bool:
    checked = stack.manage("search", "check", "--json")
    return checked.returncode == 0 and json.loads(checked.stdout)["ok"]


def assert_nobody_noticed(load: Load, statuses: list[int]) -> None:
    assert not load.failed
    assert set(statuses) == {200}
    judge(load)
    until(index_is_in_step, "index and table hold the same", 120)


def test_rebuilt_paused_killed_and_without_its_worker(load: Load, edited: Parent) -> None:
    """One fault after the other under one load; nothing that they lose is mended by the next."""
    with load.running(), readers_and_editors(edited) as statuses:
        rebuilt = stack.manage("search", "rebuild", "--json")
        load.goes_on()
        with stack.broken("pause", "elasticsearch", lasting=8):
            load.goes_on()
        load.goes_on()
        for _ in range(2):
            with stack.broken("kill", "worker", lasting=2):
                load.goes_on()
        load.goes_on()
        with stack.broken("kill", "elasticsearch", lasting=5):
            load.goes_on()
        load.goes_on()

    assert rebuilt.returncode == 0, rebuilt.stderr
    assert_nobody_noticed(load, statuses)


def test_wiped(load: Load, edited: Parent) -> None:
    """An index that is lost is built anew, which would hide what another fault has lost."""
    with load.running(), readers_and_editors(edited) as statuses:
        with stack.broken("wipe", "elasticsearch", lasting=5):
            load.goes_on()
        load.goes_on()

    assert_nobody_noticed(load, statuses)


def test_search_goes_on_while_the_database_is_away(load: Load, edited: Parent) -> None:
    until(index_is_in_step, "all is indexed", 60)
    with stack.broken("stop", "mariadb"), Client() as http:
        found = http.get(f"{edited.children}/search?query=EDITED")
        assert [hit["message_number"] for hit in found["results"]] == [1]
