"""The admin while rows are pending, and while the Redis that holds them is down."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from applications.models import Application, OperatorKey
from chats.models import Chat
from ingest.models import DeadLetter
from messages_app.models import Message
from operations.admin.confirmation import FIELD
from tests.admin.pages import act, address, change, confirm, listing, notices, text
from tests.admin.test_conversation import numbers
from tests.api.client import Api
from tests.pipeline.backlog import Backlog

MODELS = [Application, Chat, Message, DeadLetter, OperatorKey]


@pytest.fixture
def admin(transactional_db: None) -> Client:
    """A superuser's browser."""
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


def read(admin: Client, chat: str, **query: str) -> Any:
    _, _, token, _, number = chat.split("/")
    answer: Any = admin.get(f"/admin/conversations/{token}/{number}/", query)
    assert answer.status_code == 200
    return answer


def pending(answer: Any) -> list[int]:
    """The messages that are marked as pending, by their number."""
    marked = text(answer).split('<li id="m')[1:]
    return [int(one.split('"')[0]) for one in marked if "not stored yet" in one]


def test_pending_messages_are_shown_in_their_order_and_marked(
    api: Api, backlog: Backlog, admin: Client, chat: str
) -> None:
    api.say(chat, "stored")
    backlog.work()
    api.say(chat, "waits", "waits too")

    answer = read(admin, chat)

    assert numbers(answer) == [1, 2, 3]
    assert pending(answer) == [2, 3]
    assert 'id="unknown"' not in text(answer)
    backlog.work()
    assert pending(read(admin, chat)) == []


def test_a_pending_chat_can_be_read(api: Api, backlog: Backlog, admin: Client) -> None:
    chat = api.new_chat(name="waits")
    api.say(chat, "hello")

    answer = read(admin, chat)

    assert "This chat is pending: it is accepted and not stored yet." in text(answer)
    assert pending(answer) == [1]


def test_without_redis_a_conversation_says_that_something_may_be_missing(
    api: Api, backlog: Backlog, admin: Client, chat: str
) -> None:
    api.say(chat, "stored")
    backlog.work()
    api.say(chat, "waits")
    backlog.server.kill()

    for query in ({}, {"after": "0"}, {"query": "stored"}):
        answer = read(admin, chat, **query)
        assert numbers(answer) == [1]
        assert 'id="unknown"' in text(answer)


def test_without_redis_every_page_answers(
    api: Api, backlog: Backlog, admin: Client, chat: str
) -> None:
    api.say(chat, "stored")
    backlog.work()
    backlog.server.kill()

    assert admin.get("/admin/").status_code == 200
    for model in MODELS:
        assert listing(admin, model).status_code == 200
    for row in (Application.objects.get(), Chat.objects.get(), Message.objects.get()):
        assert admin.get(address(type(row), "change", row.pk)).status_code == 200


def test_without_redis_a_stored_message_is_edited_and_a_key_replaced(
    api: Api, backlog: Backlog, admin: Client, chat: str
) -> None:
    api.say(chat, "stored")
    backlog.work()
    backlog.server.kill()

    change(admin, Message.objects.get(), body="edited")
    question = act(admin, "replace_keys", Application.objects.get())
    assert question.context["field"] == FIELD
    shown = confirm(admin, question)

    assert Message.objects.get().body == "edited"
    assert "<code>" in text(shown)
    assert Application.objects.get().key_hash


def test_a_chat_that_may_be_queued_is_not_denied(api: Api, backlog: Backlog, admin: Client) -> None:
    chat = api.new_chat()
    backlog.server.kill()
    _, _, token, _, number = chat.split("/")

    answer: Any = admin.get(f"/admin/conversations/{token}/{number}/")

    assert answer.status_code == 302
    assert notices(answer) == ["It may be in a queue that cannot be read just now."]


@pytest.mark.parametrize("many", [False, True])
def test_what_a_member_of_the_staff_adds_by_the_api_is_logged_though_it_pends(
    api: Api, backlog: Backlog, admin: Client, chat: str, settings: Settings, many: bool
) -> None:
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update={"require_keys": True})
    bodies = [{"body": "a"}, {"body": "b"}]
    path, sent = ("/messages/bulk", {"messages": bodies}) if many else ("/messages", bodies[0])

    added = Api(client=admin).post(f"{chat}{path}", sent)

    assert added.status_code == 201
    entries = [entry.get_edited_object() for entry in LogEntry.objects.order_by("pk")]
    assert entries == [*Message.objects.order_by("message_number")]
    stored = Message.objects.order_by("message_number").values_list("body", flat=True)
    assert [*stored] == ["a", "b"][: len(entries)]
    assert len(entries) == (2 if many else 1)
    backlog.work()
    assert Message.objects.count() == len(entries)
