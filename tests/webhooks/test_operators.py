"""What operators see and do: the admin, the command, the gauges."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from events.models import ApplicationEvent
from tests.admin.pages import act, address, confirm, listing, notices, rows, text
from tests.api.client import Api
from tests.audit.results import audit
from tests.webhooks.conftest import row, subscribe
from tests.webhooks.receiver import Receiver, Reply
from webhooks.gauges import webhook_gauges
from webhooks.models import Webhook
from webhooks.runner import run
from webhooks.signatures import secret_of

URL = "https://hooks.example.org/chat"


@pytest.fixture(autouse=True)
def quick_users(settings: Settings) -> None:
    """Each test has a user of its own: no good hash."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def test_the_admin_shows_why_an_endpoint_fails_and_no_secret(
    admin_client: Client, api: Api, application: str, hook: Receiver
) -> None:
    webhook = subscribe(api, application, hook.url, types=["chat.created"], chat_number=1)
    hook.replies = [Reply(500, body=b"<script>alert(1)</script> out of order")]
    run()

    stored = row(webhook)
    assert rows(listing(admin_client, Webhook)) == [stored]
    assert rows(listing(admin_client, Webhook, q=stored.application_token)) == [stored]
    assert rows(listing(admin_client, Webhook, q="0" * 24)) == []
    for page in (
        listing(admin_client, Webhook),
        admin_client.get(address(Webhook, "change", stored.pk)),
    ):
        assert "status 500" in text(page)
        assert "failing" in text(page)
        for hidden in (webhook["secret"], secret_of(stored.secret_salt), stored.secret_salt):
            assert hidden not in text(page)
    assert "out of order" in text(page)
    assert b"<script>alert" not in page.content


def test_webhooks_are_replayed_disabled_and_tested_after_a_question(
    admin_client: Client, api: Api, application: str, hook: Receiver
) -> None:
    webhook = subscribe(api, application, hook.url)
    run()
    for action, done in (
        ("replay", "Replayed"),
        ("test", "Requested a test"),
        ("disable", "Disabled"),
    ):
        question = act(admin_client, action, row(webhook))
        answer = confirm(admin_client, question)
        assert notices(admin_client.get(answer["Location"])) == [f"{done}: {row(webhook)}"]
        run()

    assert [(one.ids, "test" in one.content) for one in hook.received] == [
        (["1"], False),
        (["1"], False),
        ([], True),
    ]
    assert row(webhook).state == "disabled"
    said = LogEntry.objects.order_by("pk")
    assert [entry.change_message for entry in said] == [
        "Replayed.",
        "Requested a test.",
        "Disabled.",
    ]


def test_who_may_only_look_can_do_nothing(client: Client, api: Api, application: str) -> None:
    webhook = subscribe(api, application, URL)
    user = User.objects.create_user("staff", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_webhook"))
    client.force_login(user)

    assert rows(listing(client, Webhook)) == [row(webhook)]
    act(client, "disable", row(webhook))

    assert row(webhook).state == "ok"


def test_the_list_takes_as_many_queries_for_many_rows(
    admin_client: Client, api: Api, application: str, django_assert_max_num_queries: Any
) -> None:
    for _ in range(15):
        subscribe(api, application, URL)

    with django_assert_max_num_queries(8):
        assert len(rows(listing(admin_client, Webhook))) == 15


def command(*arguments: str) -> str:
    out = StringIO()
    call_command("webhooks", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_lists_replays_and_disables(api: Api, application: str, hook: Receiver) -> None:
    webhook = subscribe(api, application, hook.url)
    other = subscribe(api, api.new_application(), URL, after=0)
    run()
    token = webhook["application_token"]

    everything = json.loads(command("list", "--json"))
    assert everything["count"] == 2
    assert [one["id"] for one in everything["webhooks"]] == [webhook["id"], other["id"]]
    lines = command("list", "--application", token).splitlines()
    assert lines == [f"{webhook['id']}  {token}  ok        at 1  {hook.url}", "1 webhooks"]
    assert "secret" not in str(everything)
    assert json.loads(command("list", "--json", "--after", webhook["id"]))["count"] == 1

    assert json.loads(command("replay", webhook["id"], "--after", "0", "--json"))["position"] == "0"
    run()
    assert [one.ids for one in hook.received] == [["1"], ["1"]]

    assert "disabled" in command("disable", webhook["id"])
    assert api.get(f"{application}/webhooks/{webhook['id']}").json()["state"] == "disabled"


@pytest.mark.parametrize(
    "arguments",
    [
        ("disable", "0" * 24),
        ("replay", "x", "--after", "0"),
        ("replay", "{id}", "--after", "x"),
        ("replay", "{id}", "--after", "7"),
        ("list", "--after", "x"),
    ],
)
def test_what_does_not_exist_is_said(
    api: Api, application: str, arguments: tuple[str, ...]
) -> None:
    webhook = subscribe(api, application, URL)

    with pytest.raises(CommandError):
        command(*(one.format(id=webhook["id"]) for one in arguments))

    assert row(webhook).version == 1


def readings() -> dict[tuple[str, str], float]:
    """The gauges, by name and state."""
    return {
        (metric.name.removeprefix("chatsystem_"), sample.labels["state"]): sample.value
        for metric in webhook_gauges()
        for sample in metric.samples
    }


def test_gauges_tell_how_far_the_worst_endpoint_is_behind(
    api: Api, application: str, hook: Receiver
) -> None:
    assert set(readings().values()) == {0}
    subscribe(api, application, hook.url)
    failing = subscribe(api, application, hook.url)
    api.say(f"{application}/chats/1", "x", "y")
    ages = {1: 500, 2: 400, 3: 300}
    for number, age in ages.items():
        at = timezone.now() - timedelta(seconds=age)
        ApplicationEvent.objects.filter(event_number=number).update(created_at=at)
    Webhook.objects.filter(webhook_id=failing["id"]).update(state="failing", event_number=2)

    found = readings()

    assert (found["webhooks", "ok"], found["webhooks", "failing"]) == (1, 1)
    assert (found["webhook_lag_events", "ok"], found["webhook_lag_events", "failing"]) == (3, 1)
    assert 500 <= found["webhook_lag_seconds", "ok"] < 560
    assert 300 <= found["webhook_lag_seconds", "failing"] < 360
    run()
    found = readings()
    assert {found[name, "ok"] for name in ("webhook_lag_events", "webhook_lag_seconds")} == {0}


def test_the_audit_finds_webhooks_that_would_leave_out_events(
    api: Api, application: str, hook: Receiver
) -> None:
    webhook = subscribe(api, application, hook.url)
    run()
    assert audit().ok

    Webhook.objects.update(event_number=2)
    found = audit()
    assert ("webhooks", "error") in found.sorts
    assert webhook["id"] in found.details("webhooks")
    Webhook.objects.update(event_number=1, application_token="0" * 24)
    assert "does not exist" in audit().details("webhooks")
