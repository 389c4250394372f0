"""An export and its import into a new application are the identity, as the API sees it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from applications.models import Application
from chats.models import Chat
from ingest.row_changes import RowChange, subscribers
from messages_app.models import Message
from messages_app.records import MESSAGES
from retention.purge import purge
from tests.api.client import Api
from tests.audit.results import audit
from tests.conversations.runs import exported, imported, run_import

pytestmark = [pytest.mark.both, pytest.mark.django_db(transaction=True)]

LONG_AGO = datetime(2001, 2, 3, 4, 5, 6, 789, tzinfo=UTC)


def token_of(application: str) -> str:
    """The token in the path of an application."""
    return application.rpartition("/")[2]


def seen(api: Api, application: str) -> dict[str, Any]:
    """Everything that the API shows of an application, with its ETags, but for the token."""
    items = [application]
    for chat in api.get(f"{application}/chats", limit=200).json()["results"]:
        path = f"{application}/chats/{chat['chat_number']}"
        messages = api.get(f"{path}/messages", limit=200).json()["results"]
        items += [path, *(f"{path}/messages/{one['message_number']}" for one in messages)]
    answers = {path.removeprefix(application): api.get(path) for path in items}
    token = token_of(application)
    return {
        path: (json.loads(answer.content.decode().replace(token, "TOKEN")), answer["ETag"])
        for path, answer in answers.items()
    }


def copied(application: str, folder: Path) -> str:
    """The path of the application that an import of this one's export creates."""
    file = folder / "export.jsonl"
    file.write_bytes(exported(token_of(application)))
    [share] = imported(file)["applications"]
    return f"/applications/{share['token']}"


@pytest.fixture
def application(api: Api) -> str:
    """An application with everything that an export must carry."""
    path = api.new_application("Support desk")
    token = token_of(path)
    for name in ("Support", "Support", "empty", "two\nlines", "purged", "begins late"):
        chat = api.new_chat(path, name)
        if name != "empty":
            api.say(chat, *"abcdef")
    api.patch(f"{path}/chats/3", {"metadata": {"b": 1, "a": {"c": [1.5, None, "\u2028"]}}})
    api.post(
        f"{path}/chats/1/messages",
        {"body": "with more", "sender": "Ann \x1b[31m", "metadata": {"z": 1, "a": "ä"}},
    )
    api.patch(f"{path}/chats/2/messages/3", {"body": "edited"})
    rows = Message.objects.filter(application_token=token)
    rows.filter(chat_number=1, message_number__in=(2, 3)).delete()
    rows.filter(chat_number=6, message_number__lte=2).delete()
    api.delete(f"{path}/chats/2/messages/5")
    of_purged = rows.filter(chat_number=5, message_number__lte=4)
    of_purged.update(created_at=LONG_AGO)
    purge([token], LONG_AGO + timedelta(days=1))
    rows.filter(chat_number=4).update(created_at=LONG_AGO, updated_at=LONG_AGO)
    Chat.objects.filter(application_token=token, chat_number=4).update(number_ceiling=9)
    call_command("reconcile_counts", "--all", verbosity=0)
    return path


def test_the_api_shows_the_same(api: Api, application: str, tmp_path: Path) -> None:
    copy = copied(application, tmp_path)

    assert seen(api, copy) == seen(api, application)
    assert exported(token_of(copy)) == exported(token_of(application))


def test_counts_are_right_and_stay(api: Api, application: str, tmp_path: Path) -> None:
    Chat.objects.update(messages_count=99)
    copy = copied(application, tmp_path)

    before = seen(api, copy)
    call_command("reconcile_counts")

    assert seen(api, copy) == before
    assert [before[f"/chats/{number}"][0]["messages_count"] for number in (1, 2, 3)] == [5, 6, 0]
    assert before[""][0]["chats_count"] == 6


def test_numbers_continue_above_the_highest(api: Api, application: str, tmp_path: Path) -> None:
    copy = copied(application, tmp_path)

    assert api.new_chat(copy) == f"{copy}/chats/7"
    assert [api.say(f"{copy}/chats/{chat}", "next")[0] for chat in range(1, 8)] == [
        8, 7, 1, 7, 7, 7, 1,
    ]  # fmt: skip


def test_the_audit_finds_no_fault_in_gaps_purges_and_counts(
    api: Api, application: str, tmp_path: Path
) -> None:
    copy = copied(application, tmp_path)
    Application.objects.filter(token=token_of(application)).delete()
    Chat.objects.filter(application_token=token_of(application)).delete()
    Message.objects.filter(application_token=token_of(application)).delete()
    api.say(f"{copy}/chats/1", "next")

    result = audit()

    assert result.ok
    assert "messages 2 to 3 never given: numbers of an import" in result.details("gaps")


def test_old_messages_are_no_late_rows_and_the_next_purge_removes_them(
    api: Api, application: str, tmp_path: Path
) -> None:
    """The fixture has raised the horizon above them."""
    copy = copied(application, tmp_path)
    assert len(api.get(f"{copy}/chats/4/messages").json()["results"]) == 6

    result = purge([token_of(copy)], LONG_AGO + timedelta(days=1))

    assert (result.messages, result.chats) == (6, 1)


def test_subscribers_hear_of_each_message(application: str, tmp_path: Path) -> None:
    """So the search index learns of them."""
    heard: list[RowChange] = []
    subscribers.append(heard.extend)
    try:
        copy = copied(application, tmp_path)
    finally:
        subscribers.pop()

    keys = [key for change in heard if change.table == MESSAGES.name for key in change.keys]
    stored = Message.objects.filter(application_token=token_of(copy))
    assert sorted(keys) == sorted(map(MESSAGES.key_of, stored))


def test_an_import_that_is_run_again_adds_nothing(
    api: Api, application: str, tmp_path: Path
) -> None:
    copy = copied(application, tmp_path)
    before = seen(api, copy)

    assert imported(tmp_path / "export.jsonl")["messages"] == 0
    assert seen(api, copy) == before
    assert Application.objects.count() == 2


def test_joined_exports_are_two_applications(api: Api, application: str, tmp_path: Path) -> None:
    file = tmp_path / "joined.jsonl"
    file.write_bytes(exported(token_of(application)) * 2)

    shares = imported(file)["applications"]

    copies = [seen(api, f"/applications/{one['token']}") for one in shares]
    assert copies == [seen(api, application)] * 2


def test_a_client_that_writes_meanwhile_keeps_its_numbers(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The import rejects what would take a number that a client has."""
    source = api.new_chat()
    api.say(source, *"abcd")
    lines = exported(source.split("/")[2]).splitlines(keepends=True)
    file = tmp_path / "export.jsonl"
    file.write_bytes(b"".join(lines[:4]))
    [share] = imported(file)["applications"]
    chat = f"/applications/{share['token']}/chats/1"

    assert api.say(chat, "mine") == [3]
    assert api.new_chat(f"/applications/{share['token']}") == f"{chat[:-1]}2"
    other = lines[1].replace(b'"chat_number":1', b'"chat_number":2')
    file.write_bytes(b"".join((*lines, other, lines[-1].replace(b'r":1,', b'r":2,'))))
    run = run_import(file)

    assert (run.result["messages"], run.result["rejected"]) == (1, 3)
    assert f"{file}:5: message 3: this number, or a higher one, is given already" in run.complaints
    assert f"{file}:7: chat 2: this number" in run.complaints
    assert f"{file}:8: comes before the line of chat 2" in run.complaints
    bodies = [one["body"] for one in api.get(f"{chat}/messages").json()["results"]]
    assert bodies == ["a", "b", "mine", "d"]
    assert api.get(f"{chat[:-1]}2/messages").json()["results"] == []
