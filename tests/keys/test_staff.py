"""In an admin session the API grants the same permissions as the admin, and logs the same."""

import re
from datetime import timedelta
from typing import Any

import pytest
import yaml
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.auth.models import Permission, User
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from applications.models import Application
from chats.models import Chat
from messages_app.models import Message
from tests.api.client import Api
from tests.api.problems import assert_problem
from tests.keys.clients import WEBHOOK_ID, Owner
from tests.keys.test_isolation import OPENAPI
from webhooks.models import Webhook

BODIES: dict[str, Any] = {
    "name": "new",
    "body": "new",
    "sender": "somebody",
    "metadata": {"is": "new"},
    "messages": [{"body": "a"}, {"body": "b"}],
    "url": "https://hooks.example.org",
    "after": 0,
}
NEEDED: dict[tuple[str, str], str] = {
    ("GET", "/applications"): "view_application",
    ("POST", "/applications"): "add_application",
    ("GET", "/applications/{token}"): "view_application",
    ("PUT", "/applications/{token}"): "change_application",
    ("PATCH", "/applications/{token}"): "change_application",
    ("POST", "/applications/{token}/key"): "change_application",
    ("GET", "/applications/{token}/chats"): "view_chat",
    ("POST", "/applications/{token}/chats"): "add_chat",
    ("GET", "/applications/{token}/messages/search"): "view_chat view_message",
    ("GET", "/applications/{token}/events"): "view_chat view_message",
    ("GET", "/applications/{token}/stream"): "view_chat view_message",
    ("GET", "/applications/{token}/chats/{chat_number}/stream"): "view_chat view_message",
    ("POST", "/applications/{token}/stream-tokens"): "view_chat view_message",
    ("GET", "/applications/{token}/chats/{chat_number}"): "view_chat",
    ("PUT", "/applications/{token}/chats/{chat_number}"): "change_chat",
    ("PATCH", "/applications/{token}/chats/{chat_number}"): "change_chat",
    ("GET", "/applications/{token}/chats/{chat_number}/messages"): "view_message",
    ("POST", "/applications/{token}/chats/{chat_number}/messages"): "add_message",
    ("POST", "/applications/{token}/chats/{chat_number}/messages/bulk"): "add_message",
    (
        "GET",
        "/applications/{token}/chats/{chat_number}/messages/search",
    ): "view_chat view_message",
    ("GET", "/applications/{token}/chats/{chat_number}/messages/{message_number}"): "view_message",
    (
        "PUT",
        "/applications/{token}/chats/{chat_number}/messages/{message_number}",
    ): "change_message",
    (
        "PATCH",
        "/applications/{token}/chats/{chat_number}/messages/{message_number}",
    ): "change_message",
    (
        "DELETE",
        "/applications/{token}/chats/{chat_number}/messages/{message_number}",
    ): "delete_message",
    ("GET", "/applications/{token}/webhooks"): "view_webhook",
    ("POST", "/applications/{token}/webhooks"): "add_webhook",
    ("GET", "/applications/{token}/webhooks/{webhook_id}"): "view_webhook",
    ("PATCH", "/applications/{token}/webhooks/{webhook_id}"): "change_webhook",
    ("DELETE", "/applications/{token}/webhooks/{webhook_id}"): "delete_webhook",
    ("POST", "/applications/{token}/webhooks/{webhook_id}/secret"): "change_webhook",
    ("POST", "/applications/{token}/webhooks/{webhook_id}/replay"): "change_webhook",
    ("POST", "/applications/{token}/webhooks/{webhook_id}/test"): "change_webhook",
}
WRITES = [operation for operation in NEEDED if operation[0] != "GET"]
ALL = {
    f"{action}_{model}"
    for action in ("view", "add", "change", "delete")
    for model in ("application", "chat", "message", "webhook")
}


def staff(*permissions: str, superuser: bool = False) -> Api:
    """The API for somebody who has logged in to the admin."""
    user = User.objects.create_user("staff", is_staff=True, is_superuser=superuser)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return Api(client=client)


def ask(api: Api, operation: tuple[str, str], owner: Owner, **headers: str) -> Any:
    """The answer to a valid request."""
    method, route = operation
    path = route.format(token=owner.token, chat_number=1, message_number=1, webhook_id=WEBHOOK_ID)
    if method == "GET":
        return api.get(path, **({"query": "hello"} if path.endswith("/search") else {}))
    return api._send(method, path, BODIES, headers)


def rows() -> list[Any]:
    """All that the API shows and keeps."""
    return [
        list(model._default_manager.order_by("pk").values())
        for model in (Application, Chat, Message, Webhook)
    ]


def test_every_operation_of_the_api_is_tried() -> None:
    paths = yaml.safe_load(OPENAPI.read_text())["paths"]
    assert set(NEEDED) == {
        (method.upper(), path.removeprefix("/api/v1"))
        for path, operations in paths.items()
        for method in operations
        if path.startswith("/api/v1/applications") and method != "parameters"
    }


@pytest.mark.parametrize("operation", NEEDED, ids=" ".join)
def test_without_the_permission_it_is_refused(owner: Owner, operation: tuple[str, str]) -> None:
    needed = set(NEEDED[operation].split())
    # Who may change something may look at it, as in the admin.
    others = ALL - needed - {one.replace("view", "change") for one in needed}
    before = rows()

    assert_problem(ask(staff(*others), operation, owner), 403)

    assert rows() == before
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("operation", NEEDED, ids=" ".join)
def test_with_it_alone_it_is_done(owner: Owner, operation: tuple[str, str]) -> None:
    answer = ask(staff(*NEEDED[operation].split()), operation, owner)

    assert answer.status_code in (200, 201, 202, 204), answer.content


@pytest.mark.parametrize(
    "operation", [operation for operation in NEEDED if operation[0] == "GET"], ids=" ".join
)
def test_who_may_change_may_look(owner: Owner, operation: tuple[str, str]) -> None:
    permissions = NEEDED[operation].replace("view", "change").split()

    assert ask(staff(*permissions), operation, owner).status_code == 200


@pytest.mark.parametrize("operation", NEEDED, ids=" ".join)
def test_a_superuser_does_everything(owner: Owner, operation: tuple[str, str]) -> None:
    assert ask(staff(superuser=True), operation, owner).status_code in (200, 201, 202, 204)


def test_one_of_two_permissions_is_not_enough(owner: Owner) -> None:
    several = [(one, needed) for one, needed in NEEDED.items() if " " in needed]
    assert len(several) == 6
    for operation, needed in several:
        for permission in needed.split():
            User.objects.all().delete()
            assert_problem(ask(staff(permission), operation, owner), 403)


def test_what_does_nothing_needs_no_permission(owner: Owner) -> None:
    api = staff()

    assert "PUT" in api.client.options(f"/api/v1{owner.path}")["Allow"]
    assert_problem(api.client.delete(f"/api/v1{owner.path}"), 403)
    assert_problem(api.client.trace(f"/api/v1{owner.path}"), 405)


def test_permissions_that_are_taken_away_are_gone_at_once(owner: Owner) -> None:
    api = staff("view_application")
    assert api.get(owner.path).status_code == 200
    User.objects.get().user_permissions.clear()

    assert_problem(api.get(owner.path), 403)


def logged() -> list[tuple[Any, ...]]:
    """What the admin's log says, the first first."""
    return [
        (
            entry.user.username,
            entry.action_flag,
            entry.get_edited_object(),
            entry.object_repr,
            entry.get_change_message(),
        )
        for entry in LogEntry.objects.order_by("pk")
    ]


_EDITED = {
    Application: "Name",
    Chat: "Name and Metadata",
    Message: "Body, Sender and Metadata",
}


@pytest.mark.parametrize(
    "operation",
    [one for one in WRITES if not re.search("webhooks|stream-tokens", one[1])],
    ids=" ".join,
)
def test_a_change_is_in_the_log(owner: Owner, operation: tuple[str, str]) -> None:
    answer = ask(staff(superuser=True), operation, owner)

    entries = logged()
    method, route = operation
    model = Message if "message" in route else Chat if "chats" in route else Application
    assert len(entries) == (2 if route.endswith("bulk") else 1)
    for user, flag, row, name, said in entries:
        assert (user, name) == ("staff", str(row)[:200])
        assert isinstance(row, model)
        if route.endswith("/key"):
            assert (flag, said) == (CHANGE, "Replaced the key.")
            assert answer.json()["key"] not in str(LogEntry.objects.values())
        elif method == "POST":
            assert (flag, said) == (ADDITION, "Added.")
        elif method == "DELETE":
            assert (flag, said) == (CHANGE, "Erased.")
        else:
            assert (flag, said) == (CHANGE, f"Changed {_EDITED[model]}.")
    if method == "POST" and not route.endswith("/key"):
        newest = model._default_manager.order_by("-pk")[: len(entries)]
        assert [row for _, _, row, *_ in entries] == [*newest][::-1]


def test_changes_of_webhooks_are_in_the_log(owner: Owner) -> None:
    api = staff(superuser=True)
    webhook = Webhook.objects.get()
    for operation in WRITES:
        if "webhook_id" in operation[1] and operation[0] != "DELETE":
            ask(api, operation, owner)
    made = api.post(f"{owner.path}/webhooks", BODIES).json()
    api.delete(f"{owner.path}/webhooks/{made['id']}")

    entries = LogEntry.objects.order_by("pk").values_list("object_repr", "action_flag")
    assert [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")] == [
        "Changed Url.",
        "Replaced the secret.",
        "Replayed the events after 0.",
        "Requested a test.",
        "Added.",
        "Deleted.",
    ]
    other = f"{webhook.application_token}/{made['id']}"
    assert list(entries) == [
        *[(str(webhook), CHANGE)] * 4,
        (other, ADDITION),
        (other, DELETION),
    ]
    assert "whsec_" not in str(LogEntry.objects.values())


@pytest.mark.parametrize(
    "operation", [operation for operation in WRITES if operation[0] == "POST"], ids=" ".join
)
def test_a_repeat_is_logged_once(owner: Owner, operation: tuple[str, str]) -> None:
    api = staff(superuser=True)
    once = {"Idempotency-Key": "once"}
    ask(api, operation, owner, **once)
    entries = logged()

    assert ask(api, operation, owner, **once)["Idempotency-Replayed"] == "true"

    assert logged() == entries


def test_what_the_first_did_not_come_to_log_the_repeat_does(owner: Owner) -> None:
    api = staff(superuser=True)
    operation = ("POST", "/applications/{token}/chats")
    ask(api, operation, owner, **{"Idempotency-Key": "once"})
    entries = logged()
    LogEntry.objects.all().delete()

    ask(api, operation, owner, **{"Idempotency-Key": "once"})

    assert logged() == entries


@pytest.mark.parametrize("operation", WRITES, ids=" ".join)
def test_keys_belong_to_no_user_of_the_admin(
    owner: Owner, operator: Api, operation: tuple[str, str]
) -> None:
    ask(operator, operation, owner)
    if operation != ("POST", "/applications"):
        ask(owner.api, operation, owner)

    assert not LogEntry.objects.exists()


def test_a_refused_edit_is_not_logged(owner: Owner) -> None:
    api = staff(superuser=True)

    assert_problem(api.put(owner.path, {"name": "x"}, **{"If-Match": '"99"'}), 412)
    assert_problem(api.put(owner.path, {"name": " "}), 400)

    assert not LogEntry.objects.exists()


def test_using_the_api_keeps_the_session(owner: Owner) -> None:
    api = staff("view_application")
    Session.objects.update(expire_date=timezone.now() + timedelta(minutes=1))

    assert api.get(owner.path).status_code == 200

    left = Session.objects.get().expire_date - timezone.now()
    assert left > timedelta(minutes=59)
