"""Accepted rows can be edited at once, and the queued insert does not undo the edit."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from chats.models import Chat
from ingest import edits
from ingest.edits import store_if_pending
from messages_app.models import Message
from tests.api.client import Api
from tests.pipeline.backlog import Backlog
from tests.pipeline.test_pending import before, numbers, once


@pytest.fixture
def chat(api: Api, backlog: Backlog) -> str:
    """A pending chat."""
    return api.new_chat()


@pytest.fixture
def admin(db: None) -> Client:
    """A superuser's browser."""
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


@pytest.mark.parametrize("method", ["put", "patch"])
def test_an_edit_of_a_pending_message_outlives_its_queued_insert(
    api: Api, backlog: Backlog, chat: str, method: str
) -> None:
    api.say(chat, "first", "second")

    edited = getattr(api, method)(f"{chat}/messages/1", {"body": "edited"})
    assert (edited.status_code, edited.json()["body"]) == (200, "edited")
    assert len(backlog.rows) == 3
    backlog.work()

    assert api.get(f"{chat}/messages/1").json() == edited.json()
    assert api.get(f"{chat}/messages").json()["results"][0] == edited.json()
    assert Message.objects.get(message_number=1).version == 2
    assert Message.objects.count() == 2


def test_a_pending_row_is_stored_and_then_compared(api: Api, backlog: Backlog, chat: str) -> None:
    api.say(chat, "x")
    for path, field in ((chat, "name"), (f"{chat}/messages/1", "body")):
        seen = {"If-Match": api.get(path)["ETag"]}

        assert api.put(path, {field: "late"}, **{"If-Match": '"2"'}).status_code == 412
        assert api.put(path, {field: "new"}, **seen).status_code == 200
        assert api.put(path, {field: "late"}, **seen).status_code == 412
    backlog.work()

    assert api.get(chat).json()["name"] == api.get(f"{chat}/messages/1").json()["body"] == "new"


def test_a_pending_chat_can_be_renamed(api: Api, backlog: Backlog, chat: str) -> None:
    api.say(chat, "x")

    renamed = api.put(chat, {"name": "renamed"})
    assert (renamed.status_code, renamed.json()["name"]) == (200, "renamed")
    backlog.work()
    api.say(chat, "y")
    backlog.work()

    assert api.get(chat).json()["name"] == "renamed"
    assert numbers(api.get(f"{chat}/messages")) == [1, 2]


def test_an_edited_row_is_pending_no_more_and_its_chat_is_flagged(
    api: Api, backlog: Backlog, chat: str
) -> None:
    api.say(chat, "x")

    api.put(f"{chat}/messages/1", {"body": "y"})

    token = chat.split("/")[2]
    assert list(backlog.pending()) == [token]
    assert backlog.redis.smembers("dirty:messages") == {f"{token}/1".encode()}


def test_a_row_that_moves_while_it_is_edited_is_edited(
    api: Api, backlog: Backlog, chat: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.say(chat, "x")
    before(monkeypatch, edits, "store_if_pending", once(backlog.work))

    assert api.put(f"{chat}/messages/1", {"body": "y"}).status_code == 200
    assert Message.objects.get().body == "y"


def test_what_is_not_there_cannot_be_edited(api: Api, backlog: Backlog, chat: str) -> None:
    assert api.put(f"{chat}/messages/1", {"body": "y"}).status_code == 404
    assert api.put(f"{chat}9", {"name": "y"}).status_code == 404


def test_while_redis_is_away_a_queued_row_is_not_denied_to_an_edit(
    api: Api, backlog: Backlog, chat: str
) -> None:
    api.say(chat, "queued")
    backlog.server.kill()

    answers = [
        api.put(f"{chat}/messages/1", {"body": "y"}),
        api.put(chat, {"name": "y"}),
    ]

    assert [answer.status_code for answer in answers] == [503, 503]
    assert all("Retry-After" in answer.headers for answer in answers)
    backlog.work()
    assert api.put(f"{chat}/messages/1", {"body": "y"}).status_code == 200


def test_storing_a_row_twice_at_once_stores_it_once(api: Api, backlog: Backlog, chat: str) -> None:
    token = chat.split("/")[2]

    assert store_if_pending((token, 1))
    assert not store_if_pending((token, 1))
    backlog.work()

    assert Chat.objects.count() == 1


def test_the_admin_shows_what_it_has_just_added(
    api: Api, backlog: Backlog, admin: Client, chat: str
) -> None:
    token = chat.split("/")[2]
    added: Any = admin.post(
        "/admin/chats/chat/add/", {"application_token": token, "name": "added"}, follow=True
    )
    stored = Chat.objects.get()
    assert (stored.name, stored.chat_number) == ("added", 2)
    assert f"/admin/chats/chat/{stored.pk}/change/" in added.content.decode()

    message = {"application_token": token, "chat_number": 1, "body": "added", "_continue": "1"}
    page: Any = admin.post("/admin/messages_app/message/add/", message, follow=True)

    assert page.status_code == 200
    assert f"/{Message.objects.get().pk}/change/" in page.redirect_chain[-1][0]
    backlog.work()
    assert (Chat.objects.count(), Message.objects.count()) == (2, 1)
