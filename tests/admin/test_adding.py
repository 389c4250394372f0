"""Rows added in the admin equal rows created through the API."""

import pytest
from django.contrib.admin.models import ADDITION, LogEntry
from django.test import Client

from applications.models import Application
from chats.models import Chat
from infra.errors import Unavailable
from ingest.models import CountState
from messages_app.models import Message
from tests.admin.pages import add, address, errors, listing, notices

UNKNOWN = "0" * 24


def test_a_new_application_gets_a_token(admin_client: Client) -> None:
    answer = add(admin_client, Application, name="  Acme ")
    assert answer.status_code == 200  # the page with its key
    application = Application.objects.get()
    assert application.name == "Acme"
    assert len(application.token) == 24
    assert application.version == 1


@pytest.mark.parametrize("name", ["\u200b", "\u2800\u3164", "\ufe0f \U000e0001"])
def test_a_name_that_shows_nothing_is_an_error_of_its_field(
    admin_client: Client, chat: Chat, name: str
) -> None:
    of_application = add(admin_client, Application, name=name)
    of_chat = add(admin_client, Chat, application_token=chat.application_token, name=name)

    assert set(errors(of_application)) == set(errors(of_chat)) == {"name"}


def test_a_new_chat_gets_the_next_number_of_its_application(
    admin_client: Client, chat: Chat
) -> None:
    answer = add(admin_client, Chat, application_token=f" {chat.application_token} ", name="Sales")
    assert answer.status_code == 302
    assert Chat.objects.get(name="Sales").chat_number == chat.chat_number + 1
    application = Application.objects.get()
    assert application.number_ceiling == 2
    assert application.count_state == CountState.CHANGED


def test_a_new_message_gets_the_next_number_of_its_chat(
    admin_client: Client, message: Message
) -> None:
    token = message.application_token
    add(admin_client, Message, application_token=token, chat_number="1", body=" \n hi\n")
    assert Message.objects.get(message_number=2).body == " \n hi\n"
    chat = Chat.objects.get()
    assert chat.number_ceiling == 2
    assert chat.count_state == CountState.CHANGED


def test_the_log_names_the_new_row_and_links_to_it(
    admin_client: Client, admin_user: object, chat: Chat
) -> None:
    add(admin_client, Message, application_token=chat.application_token, chat_number=1, body="x")
    message = Message.objects.get()
    entry = LogEntry.objects.get()
    assert (entry.user, entry.action_flag) == (admin_user, ADDITION)
    assert entry.get_edited_object() == message
    assert entry.get_change_message() == "Added."
    link = f'<a href="{address(Message, "change", message.pk)}">{message}</a>'
    assert notices(listing(admin_client, Message)) == [
        f"The message “{link}” was added successfully."
    ]


@pytest.mark.usefixtures("chat")
@pytest.mark.parametrize("token", [UNKNOWN, "", "x", "é" * 24, "a\0b", "A" * 24, "a" * 5000])
def test_an_unknown_application_is_an_error_of_its_field(admin_client: Client, token: str) -> None:
    answer = add(admin_client, Chat, application_token=token, name="Sales")
    assert set(errors(answer)) == {"application_token"}
    answer = add(admin_client, Message, application_token=token, chat_number=1, body="x")
    assert set(errors(answer)) == {"application_token"}


@pytest.mark.parametrize("number", ["2", "0", "-1", "", "x", "1.5", str(2**63), "9" * 5000])
def test_an_unknown_chat_is_an_error_of_its_field(
    admin_client: Client, chat: Chat, number: str
) -> None:
    answer = add(
        admin_client,
        Message,
        application_token=chat.application_token,
        chat_number=number,
        body="x",
    )
    assert set(errors(answer)) == {"chat_number"}


def test_a_token_in_capitals_is_not_the_token(admin_client: Client) -> None:
    add(admin_client, Application, name="x")
    Application.objects.update(token="ab" * 12)
    answer = add(admin_client, Chat, application_token="AB" * 12, name="x")
    assert set(errors(answer)) == {"application_token"}


def test_numbers_counts_and_versions_cannot_be_smuggled_in(
    admin_client: Client, application: Application
) -> None:
    add(
        admin_client,
        Chat,
        application_token=application.token,
        name="x",
        chat_number=99,
        messages_count=7,
        number_ceiling=50,
        version=9,
    )
    chat = Chat.objects.get()
    assert (chat.chat_number, chat.messages_count, chat.number_ceiling, chat.version) == (
        1,
        0,
        0,
        1,
    )


def test_what_is_away_is_told_and_nothing_is_logged(
    admin_client: Client, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> Message:
        raise Unavailable("The database is unavailable.")

    monkeypatch.setattr("operations.admin.records.accept", away)
    answer = add(
        admin_client, Message, application_token=chat.application_token, chat_number=1, body="x"
    )
    assert answer.status_code == 302
    assert notices(admin_client.get(answer["Location"])) == ["The database is unavailable."]
    assert not LogEntry.objects.exists()
