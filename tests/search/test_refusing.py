"""A closed, blocked or forbidden index counts as unavailable: only search is affected."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from threading import Event
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from elasticsearch import NotFoundError

from ingest.models import DeadLetter
from search import health, index_check
from search.errors import IndexUnavailable, IndexUnusable
from search.index import queries, versions
from search.index.layout import layout
from search.index_check import check_sample
from search.models import BacklogEntry
from search.tasks import check
from search.tasks import index as index_task
from tests.api.client import Api
from tests.api.test_paging import shown
from tests.audit.results import audit
from tests.live.servers import eventually
from tests.search.index import SearchIndex
from tests.search.test_indexing import key_of

pytestmark = pytest.mark.django_db(transaction=True)

WITHIN_S = 20

#: States of an index, and whether searches and changes are refused in them.
STATES = {
    "closed": (True, True),
    "read": (True, False),
    "write": (False, True),
    "metadata": (False, False),
    "read_only": (False, True),
    "read_only_allow_delete": (False, True),
}


@contextmanager
def refusing(index: SearchIndex, state: str) -> Iterator[None]:
    """The indexes that there are now are in this state meanwhile."""
    indices, names = index.server.indices, index.names()
    for name in names:
        if state == "closed":
            indices.close(index=name)
        else:
            indices.put_settings(index=name, settings={f"index.blocks.{state}": True})
    try:
        yield
    finally:
        for name in names:
            with suppress(NotFoundError):  # a rebuild may have removed it
                if state == "closed":
                    indices.open(index=name)
                else:
                    indices.put_settings(index=name, settings={f"index.blocks.{state}": None})


@pytest.fixture(params=STATES)
def state(request: pytest.FixtureRequest) -> str:
    """Each state in which an index refuses something."""
    return str(request.param)


@pytest.fixture
def chat(api: Api, index: SearchIndex) -> str:
    """A chat of which everything is indexed."""
    chat = api.new_chat()
    api.say(chat, "needle", "hay", "a NEEDLE")
    index.keep_up()
    return chat


def search(api: Api, chat: str) -> tuple[str, list[int]]:
    answer = api.get(f"{chat}/messages/search", query="needle")
    assert answer.status_code == 200, answer.content
    return answer["Search-Backend"], shown(answer.json())


def test_searches_are_answered_and_changes_wait_until_it_is_back(
    api: Api, index: SearchIndex, chat: str, state: str
) -> None:
    no_search, _ = STATES[state]
    with refusing(index, state):
        assert search(api, chat) == ("database" if no_search else "elasticsearch", [3, 1])
        api.say(chat, "new needle")
        api.patch(f"{chat}/messages/1", {"body": "hay now"})

        index_task()

        if no_search:
            assert search(api, chat) == ("database", [4, 3])
        # What only looks is refused nothing where changes are taken.
        assert BacklogEntry.objects.exists() or state == "read"
        assert not DeadLetter.objects.exists()

    index.keep_up()

    eventually(lambda: search(api, chat) == ("elasticsearch", [4, 3]), WITHIN_S, "it is back")
    assert not DeadLetter.objects.exists()
    assert not BacklogEntry.objects.exists()
    assert check_sample() == []


def test_operators_commands_end_with_a_sentence(
    api: Api, index: SearchIndex, chat: str, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_check, "WAIT_SECONDS", 0.2)
    api.say(chat, "not indexed yet")
    with refusing(index, state):
        for command in (["check"], ["repair"], ["create"], ["rebuild"], ["rebuild", "--anew"]):
            with suppress(CommandError, SystemExit):
                call_command("search", *command, "--json")
        check()
        assert not DeadLetter.objects.exists()
        errors = {check for check, severity in audit().sorts if severity == "error"}
        assert errors <= {"unreachable"}

    index.keep_up()
    assert call_command("search", "rebuild", "--anew", "--json") is None
    assert check_sample() == []


def test_an_index_that_cannot_be_read_is_not_taken_for_an_empty_one(
    index: SearchIndex, chat: str
) -> None:
    for state in ("closed", "read"):
        with refusing(index, state), pytest.raises(IndexUnavailable):
            versions.versions_of([key_of(chat, 1)])
        eventually(is_readable, WITHIN_S, "it is back")


def test_ready_tells_within_seconds_and_forgets_it_afterwards(
    index: SearchIndex, chat: str, state: str, api: Api, client: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(health, "MAX_LAG", timedelta(seconds=0))

    def part() -> dict[str, str]:
        answer = client.get("/health/ready")
        assert answer.status_code == 200
        status, part = answer.json()["status"], answer.json()["parts"]["search_index"]
        assert status == "degraded" or part["status"] == "ok"
        return dict(part)

    assert part() == {"status": "ok"}
    with refusing(index, state):
        search(api, chat)
        api.say(chat, "new needle")
        index_task()
        eventually(lambda: part()["status"] == "failing", WITHIN_S, "it is told")
        assert part()["reason"]

    index.keep_up()
    eventually(lambda: part() == {"status": "ok"}, WITHIN_S, "it is forgotten")


def test_an_index_of_others_may_be_in_any_state(index: SearchIndex, chat: str) -> None:
    indices, others = index.server.indices, f"others_{uuid4().hex}"
    indices.create(index=others, settings={"index.blocks.metadata": True})
    try:
        assert layout().live in index.names()
        assert check_sample() == []
    finally:
        indices.put_settings(index=others, settings={"index.blocks.metadata": None})
        indices.delete(index=others)


def test_who_finds_the_server_well_does_not_take_the_index_for_well(
    api: Api, index: SearchIndex, chat: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.breaker.BREAKER_PROBE_SECONDS", 0.02)
    ask, asked, twice = queries.require_readable, [], Event()

    def probe() -> None:
        asked.append(1)
        if len(asked) > 2:
            twice.set()
        ask()

    monkeypatch.setattr(queries, "require_readable", probe)
    with refusing(index, "closed"):
        assert search(api, chat)[0] == "database"
        assert twice.wait(WITHIN_S)
        assert index.server.info()
        assert queries.breaker().is_open

    eventually(lambda: not queries.breaker().is_open, WITHIN_S, "it is back")


def is_readable() -> bool:
    try:
        queries.require_readable()
    except IndexUnusable:
        return False
    return True
