"""Every kind of difference between index and table is found, and repaired where possible."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db.models import F

from infra import jobs
from infra.jobs import JobIsRunning
from infra.models import Job
from messages_app.models import Message
from search import backlog, index_check
from search.index.layout import document_name
from search.index_check import StillBehind, check, check_sample
from search.models import BacklogEntry
from tests.api.client import Api
from tests.search.index import SearchIndex
from tests.search.test_indexing import key_of


@pytest.fixture
def chat(api: Api, index: SearchIndex, monkeypatch: pytest.MonkeyPatch) -> str:
    """A chat of twelve messages between others, all of them indexed; pages are small."""
    monkeypatch.setattr(index_check, "ROWS", 5)
    monkeypatch.setattr("search.index.versions.PAGE", 4)
    application = api.new_application()
    chats = [api.new_chat(application) for _ in range(11)]
    for each in chats:
        api.say(each, *(f"message {number}" for number in range(12)))
    index.keep_up()
    return chats[9]


def command(*arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit status and result of `manage.py search`."""
    output, status = StringIO(), 0
    try:
        call_command("search", *arguments, "--json", stdout=output)
    except SystemExit as end:
        status = int(end.code or 0)
    return status, json.loads(output.getvalue())


def message(chat: str, number: int) -> Any:
    token, chat_number, message_number = key_of(chat, number)
    return Message.objects.filter(
        application_token=token, chat_number=chat_number, message_number=message_number
    )


def spoil(api: Api, chat: str) -> dict[str, int]:
    """One difference of each kind that can be mended, past the application."""
    message(chat, 2).update(body="changed", version=F("version") + 1)
    message(chat, 5).delete()
    assert api.say(chat, "never indexed") == [13]
    BacklogEntry.objects.all().delete()
    return {"older": 1, "extra": 1, "missing": 1}


def test_nothing_is_reported_of_what_is_in_step(index: SearchIndex, chat: str) -> None:
    status, result = command("check")

    assert status == 0
    assert result == {"ok": True, "compared": 132, "differences": {}, "named": []}
    assert check_sample() == []


def test_every_kind_of_difference_is_found(api: Api, chat: str) -> None:
    kinds = spoil(api, chat)

    status, result = command("check")

    assert status == 1
    assert result["differences"] == kinds
    names = {n: document_name(key_of(chat, n)) for n in (2, 5, 13)}
    assert sorted(result["named"]) == sorted([
        f"{names[2]}: the document is older",
        f"{names[5]}: the document is extra",
        f"{names[13]}: the document is missing",
    ])  # fmt: skip
    assert {difference.kind for difference in check_sample()} <= set(kinds)


def test_repair_mends_what_was_found(api: Api, chat: str) -> None:
    spoil(api, chat)

    status, result = command("repair")

    assert (status, result["ok"], result["indexed_anew"]) == (0, True, 3)
    assert command("check")[0] == 0


def test_a_document_that_is_newer_than_its_row_takes_a_rebuild(
    index: SearchIndex, chat: str
) -> None:
    message(chat, 3).update(version=9)
    backlog.record([key_of(chat, 3)])
    index.keep_up()
    message(chat, 3).update(version=2)

    assert command("check")[1]["differences"] == {"newer": 1}
    assert command("repair")[0] == 1
    assert command("rebuild")[0] == 0
    assert command("check")[0] == 0


def test_what_is_still_to_be_indexed_is_no_difference(
    api: Api, index: SearchIndex, chat: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.say(chat, "not indexed yet")
    api.put(f"{chat}/messages/1", {"body": "nor this"})
    worked_off = backlog.is_worked_off
    looks = []

    def later(up_to: int) -> bool:
        looks.append(worked_off(up_to))
        index.keep_up()
        return looks[-1]

    monkeypatch.setattr(backlog, "is_worked_off", later)

    assert list(check()) == []
    assert looks == [False, True]


def test_a_backlog_that_nobody_works_off_is_reported_as_such(
    api: Api, index: SearchIndex, chat: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_check, "WAIT_SECONDS", 0.3)
    api.say(chat, "never indexed")

    with pytest.raises(StillBehind):
        list(check())


def test_a_check_that_waits_holds_on_to_its_job(
    api: Api, index: SearchIndex, chat: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "HOLD", timedelta(0))
    api.say(chat, "never indexed")

    def overtaken(_: int) -> bool:
        Job.objects.filter(name=index_check.JOB).update(run=F("run") + 1)
        return False

    monkeypatch.setattr(backlog, "is_worked_off", overtaken)

    with pytest.raises(JobIsRunning):
        list(check())


def test_create_makes_an_index_once(no_index: SearchIndex) -> None:
    _, made = command("create")
    _, again = command("create")

    assert made == again
    assert made["build"]
    assert no_index.names() == {made["build"]}
