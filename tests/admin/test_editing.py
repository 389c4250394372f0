"""Edits in the admin follow the API's rules and change only the edited field."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import OperationalError, connection
from django.test import Client
from pytest_django import Settings

from applications.models import Application
from chats.models import Chat
from messages_app.models import Message
from search.models import BacklogEntry
from tests.admin.pages import address, change, errors, text
from tests.api.client import Api

EDITABLE = {Application: "name", Chat: "name", Message: "body"}


@pytest.fixture(params=[Application, Chat, Message])
def row(request: pytest.FixtureRequest) -> Any:
    """An application, a chat, a message."""
    request.getfixturevalue("message")
    return request.param._default_manager.get()


def field_of(row: Any) -> str:
    return EDITABLE[type(row)]


def test_an_edit_raises_the_version_and_the_time(admin_client: Client, row: Any) -> None:
    assert change(admin_client, row, **{field_of(row): "new"}).status_code == 302
    before, after = row, type(row)._default_manager.get()
    assert getattr(after, field_of(row)) == "new"
    assert after.version == before.version + 1
    assert after.updated_at > before.updated_at
    assert after.created_at == before.created_at


def test_the_log_names_the_field(admin_client: Client, admin_user: object, row: Any) -> None:
    change(admin_client, row, **{field_of(row): "new"})
    entry = LogEntry.objects.get()
    assert (entry.user, entry.action_flag) == (admin_user, CHANGE)
    assert entry.get_edited_object() == row
    assert entry.get_change_message() == f"Changed {field_of(row).capitalize()}."
    history = text(admin_client.get(address(type(row), "history", row.pk)))
    assert f"Changed {field_of(row).capitalize()}." in history


def test_an_edit_is_noted_for_the_index_in_its_own_transaction(
    admin_client: Client, message: Message, settings: Settings
) -> None:
    with_index = {"elasticsearch_url": "http://127.0.0.1:9"}
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update=with_index)

    change(admin_client, message, body="edited")
    token = message.application_token
    assert [entry.keys for entry in BacklogEntry.objects.all()] == [[[token, 1, 1, 1]]]

    with connection.execute_wrapper(without_a_backlog), pytest.raises(OperationalError):
        change(admin_client, message, body="edited again")
    assert Message.objects.get().body == "edited"


def test_an_edit_in_the_admin_is_what_the_api_shows(
    admin_client: Client, api: Api, message: Message
) -> None:
    path = f"/applications/{message.application_token}/chats/1/messages/1"
    before = api.get(path)

    change(admin_client, message, body="edited")

    after = api.get(path)
    assert after.json()["body"] == "edited"
    assert after["ETag"] == '"2"' != before["ETag"]
    # Who saw the version before is told so.
    assert api.put(path, {"body": "mine"}, **{"If-Match": before["ETag"]}).status_code == 412


def without_a_backlog(
    execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
) -> Any:
    """Let statements on its table fail."""
    if BacklogEntry._meta.db_table in sql:
        raise OperationalError("a test")
    return execute(sql, params, many, context)


def test_only_one_field_can_be_edited(admin_client: Client, row: Any) -> None:
    smuggled = {
        "token": "0" * 24,
        "application_token": "0" * 24,
        "chat_number": 9,
        "message_number": 9,
        "chats_count": 9,
        "messages_count": 9,
        "number_ceiling": 9,
        "count_state": 9,
        "version": 90,
        "last_event": 9,
        "created_at": "2020-01-01",
    }
    change(admin_client, row, **{**smuggled, field_of(row): "new"})
    after = type(row)._default_manager.get()
    expected = {**vars(row), field_of(row): "new", "version": row.version + 1}
    for name in ("_state", "updated_at"):
        expected.pop(name)
    if "last_event" in expected:
        expected["last_event"] += 1
    assert {name: vars(after)[name] for name in expected} == expected


@pytest.mark.parametrize("value", ["", " \t\u3000", "\r\n", "a\0b"])
def test_a_bad_text_is_an_error_of_its_field(admin_client: Client, row: Any, value: str) -> None:
    answer = change(admin_client, row, **{field_of(row): value})
    [message] = errors(answer)[field_of(row)]
    assert message.startswith(f"{field_of(row).capitalize()} may not ")
    assert type(row)._default_manager.get().version == row.version


def test_a_name_has_at_most_255_characters_however_many_bytes(
    admin_client: Client, chat: Chat
) -> None:
    assert "255 characters" in errors(change(admin_client, chat, name="x" * 256))["name"][0]
    assert change(admin_client, chat, name="😀" * 255).status_code == 302
    assert Chat.objects.get().name == "😀" * 255


@pytest.mark.parametrize("character", ["x", "é", "😀"])
def test_a_body_has_at_most_16_kib_of_utf_8(
    admin_client: Client, message: Message, character: str
) -> None:
    most = 16 * 1024 // len(character.encode())
    answer = change(admin_client, message, body=character * (most + 1))
    assert "16384 bytes" in errors(answer)["body"][0]
    assert change(admin_client, message, body=character * most).status_code == 302
    assert Message.objects.get().body == character * most


def test_line_breaks_count_as_they_are_stored(admin_client: Client, message: Message) -> None:
    assert change(admin_client, message, body="\r\n" * 16_383 + "x").status_code == 302
    assert Message.objects.get().body == "\n" * 16_383 + "x"


@pytest.mark.parametrize("body", ["a\r\nb", "a\rb\n", "\n\r\n a \r", "  \n\nx\n\n"])
def test_a_body_that_only_the_browser_changed_stays_as_it_was(
    admin_client: Client, message: Message, body: str
) -> None:
    Message.objects.update(body=body)
    sent = "\r\n".join(re.split("\r\n|\r|\n", body))
    assert change(admin_client, message, body=sent).status_code == 302
    after = Message.objects.get()
    assert (after.body, after.version) == (body, message.version)
    assert LogEntry.objects.get().get_change_message() == "No fields changed."


def test_a_body_that_was_edited_has_plain_line_breaks(
    admin_client: Client, message: Message
) -> None:
    Message.objects.update(body="a\r\nb")
    change(admin_client, message, body=" a\r\nb\r\nc ")
    assert Message.objects.get().body == " a\nb\nc "


def test_a_name_that_only_the_browser_changed_stays_as_it_was(
    admin_client: Client, application: Application
) -> None:
    Application.objects.update(name="two\nlines")
    change(admin_client, application, name="twolines")
    after = Application.objects.get()
    assert (after.name, after.version) == ("two\nlines", application.version)


def test_a_page_shows_a_text_whole_and_escaped(admin_client: Client, message: Message) -> None:
    body = "\n<script>alert(1)</script>&amp;" + "x" * 16_000
    Message.objects.update(body=body)
    answer = admin_client.get(address(Message, "change", message.pk))
    # A browser leaves out the first line break of a text area; the second one is the body's.
    assert f">\n{body}</textarea>" in text(answer)
    assert "<script>alert" not in answer.content.decode()


@pytest.mark.usefixtures("message")
@pytest.mark.parametrize("key", ["0", "99", "x", "1_00", "_", "%00", "1/2", "9" * 30, "9" * 5000])
def test_a_row_that_does_not_exist_is_told_and_no_error(admin_client: Client, key: str) -> None:
    answer = admin_client.get(f"/admin/messages_app/message/{key}/change/", follow=True)
    assert answer.status_code == 200
    assert "Perhaps it was deleted?" in text(answer)
