"""Sender and metadata in the admin, and erasing there."""

import html
import json

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client

from chats.models import Chat
from messages_app.models import Message
from tests.admin.pages import add, address, change, errors, listing, text
from tests.api.client import Api

METADATA = '{"b": 1, "a": {"é": [true, null]}}'


def test_a_new_message_may_have_both(admin_client: Client, chat: Chat) -> None:
    given = {"application_token": chat.application_token, "chat_number": 1, "body": "x"}

    add(admin_client, Message, **given, sender=" Ada ", metadata=METADATA)
    add(admin_client, Message, **given, sender="", metadata=" ")

    both, neither = Message.objects.order_by("pk")
    assert (both.sender, both.metadata) == ("Ada", '{"b":1,"a":{"é":[true,null]}}')
    assert (neither.sender, neither.metadata) == (None, None)
    assert "Ada" in text(listing(admin_client, Message))


def test_they_can_be_edited_and_taken_away(admin_client: Client, message: Message) -> None:
    body = message.body

    change(admin_client, message, body=body, sender="Ada", metadata=METADATA)
    edited = Message.objects.get()
    assert (edited.body, edited.sender, edited.version) == (body, "Ada", 2)
    assert LogEntry.objects.get().get_change_message() == "Changed Sender and Metadata."

    change(admin_client, edited, body=body, sender="", metadata="")
    last = Message.objects.get()
    assert (last.sender, last.metadata, last.version) == (None, None, 3)


def test_metadata_is_shown_with_a_line_for_each_name(
    admin_client: Client, message: Message
) -> None:
    Message.objects.update(metadata='{"b":1,"a":"<script>"}')

    page = admin_client.get(address(Message, "change", message.pk)).content.decode()

    assert html.escape('{\n  "b": 1,\n  "a": "<script>"\n}', quote=True) in page


def test_what_the_page_shows_is_no_change(admin_client: Client, message: Message) -> None:
    Message.objects.update(body="a\r\nb", metadata='{"b":1,"a":2}')
    shown = '{\r\n  "b": 1,\r\n  "a": 2\r\n}'

    change(admin_client, message, body="a\r\nb", sender="", metadata=shown)
    assert Message.objects.get().version == 1
    # The body came back from the browser with other line breaks: it is not changed either.
    change(admin_client, message, body="a\r\nb", sender="Ada", metadata=shown)

    row = Message.objects.get()
    assert (row.body, row.metadata, row.version) == ("a\r\nb", '{"b":1,"a":2}', 2)


@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        ("{", "not valid JSON"),
        ("{'a': 1}", "not valid JSON"),
        ("[1]", "must be a JSON object"),
        ('{"a": 1e30}', "between"),
        ('{"a": ' + "[" * 8 + "]" * 8 + "}", "8 levels"),
        (json.dumps({"a": "x" * 5000}), "4096 bytes"),
    ],
)
def test_bad_metadata_is_told(
    admin_client: Client, message: Message, chat: Chat, metadata: str, error: str
) -> None:
    for row in (message, chat):
        found = errors(change(admin_client, row, body="x", name="x", metadata=metadata))

        assert list(found) == ["metadata"]
        assert error in found["metadata"][0]
    assert Message.objects.get().version == Chat.objects.get().version == 1


def test_a_chat_has_metadata_too(admin_client: Client, chat: Chat, api: Api) -> None:
    change(admin_client, chat, name=chat.name, metadata=METADATA)

    path = f"/applications/{chat.application_token}/chats/{chat.chat_number}"
    assert api.get(path).json()["metadata"] == json.loads(METADATA)


def test_an_erased_message_is_read_only(admin_client: Client, api: Api, message: Message) -> None:
    api.delete(f"/applications/{message.application_token}/chats/1/messages/1")

    page = text(admin_client.get(address(Message, "change", message.pk)))

    assert "Erased at" in page
    assert "<textarea" not in page
    assert change(admin_client, message, body="back").status_code == 403
    assert Message.objects.get().body == ""
    assert "(erased)" in text(listing(admin_client, Message))


def test_selected_messages_are_erased_after_a_confirmation(
    admin_client: Client, message: Message
) -> None:
    selected = {"action": "erase", "_selected_action": [message.pk]}
    asked = admin_client.post(address(Message, "changelist"), selected)
    assert "for good" in text(asked)
    assert Message.objects.get().erased_at is None

    token = asked.context["token"]
    admin_client.post(address(Message, "changelist"), {**selected, "confirmation": token})

    row = Message.objects.get()
    assert (row.body, bool(row.erased_at)) == ("", True)
    entry = LogEntry.objects.get()
    assert (entry.action_flag, entry.get_change_message()) == (CHANGE, "Erased.")


def test_only_who_may_delete_messages_may_erase_them(client: Client, message: Message) -> None:
    user = User.objects.create_user("editor", is_staff=True)
    codes = ("view_message", "change_message")
    user.user_permissions.set(Permission.objects.filter(codename__in=codes))
    client.force_login(user)

    page = listing(client, Message)
    client.post(
        address(Message, "changelist"), {"action": "erase", "_selected_action": [message.pk]}
    )

    assert "Erase the selected messages" not in text(page)
    assert Message.objects.get().erased_at is None
