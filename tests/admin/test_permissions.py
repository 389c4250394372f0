"""Django's permissions apply in the admin, except that deleting is always forbidden."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db.models import Model
from django.test import Client

from applications.models import Application
from chats.models import Chat
from messages_app.models import Message
from tests.admin.pages import add, address, change, listing, rows, text

MODELS = [Application, Chat, Message]


def staff_client(*codenames: str) -> Client:
    user = User.objects.create_user("staff", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


def row_of(model: type[Model]) -> Any:
    return model._default_manager.get()


@pytest.mark.usefixtures("message")
@pytest.mark.parametrize("model", MODELS)
def test_nobody_deletes(admin_client: Client, model: type[Model]) -> None:
    row = row_of(model)
    assert admin_client.get(address(model, "delete", row.pk)).status_code == 403
    assert admin_client.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    action = {"action": "delete_selected", "_selected_action": row.pk, "index": 0, "post": "yes"}
    admin_client.post(address(model, "changelist"), action)
    assert row_of(model) == row
    for page in (listing(admin_client, model), admin_client.get(address(model, "change", row.pk))):
        assert "delete" not in text(page).lower()


@pytest.mark.usefixtures("message")
@pytest.mark.parametrize("model", MODELS)
def test_who_may_view_looks_and_edits_nothing(model: type[Model]) -> None:
    client = staff_client(f"view_{model._meta.model_name}")
    row = row_of(model)
    assert rows(listing(client, model)) == [row]
    page = client.get(address(model, "change", row.pk))
    assert page.status_code == 200
    assert "<textarea" not in text(page)
    assert 'type="text"' not in text(page)
    assert "Save" not in text(page)
    assert change(client, row, name="new", body="new").status_code == 403
    assert add(client, model, name="new").status_code == 403
    assert vars(row_of(model))["version"] == row.version


def test_who_may_view_sees_a_body_whole_and_escaped(message: Message) -> None:
    Message.objects.update(body="<script>alert(1)</script>\nsecond line" + "x" * 1000)
    page = staff_client("view_message").get(address(Message, "change", message.pk))
    assert "<script>alert(1)</script><br>second line" + "x" * 1000 in text(page)
    assert "<script>alert" not in page.content.decode()


def test_who_may_change_does_not_add(chat: Chat) -> None:
    client = staff_client("change_chat")
    assert change(client, chat, name="new").status_code == 302
    answer = add(client, Chat, application_token=chat.application_token, name="new")
    assert answer.status_code == 403


def test_who_may_only_add_does_not_look(chat: Chat) -> None:
    client = staff_client("add_chat")
    answer = add(client, Chat, application_token=chat.application_token, name="new")
    assert answer.status_code == 302
    assert Chat.objects.count() == 2
    assert listing(client, Chat).status_code == 403


@pytest.mark.usefixtures("message")
@pytest.mark.parametrize("model", MODELS)
def test_who_has_no_permission_sees_nothing(model: type[Model]) -> None:
    client = staff_client()
    assert listing(client, model).status_code == 403
    assert client.get(address(model, "change", row_of(model).pk)).status_code == 403


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize("model", MODELS)
def test_who_is_not_logged_in_is_asked_to(client: Client, model: type[Model]) -> None:
    answer: Any = listing(client, model)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/admin/login/")
