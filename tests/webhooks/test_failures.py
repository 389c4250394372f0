"""Endpoints that fail: when they are tried again, when no more, and what is known about it."""

import logging
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from django.utils import timezone

from infra.logs.formatting import formatter
from tests.api.client import Api
from tests.webhooks.conftest import make_due, row, subscribe
from tests.webhooks.receiver import Receiver, Reply
from webhooks.models import Webhook
from webhooks.retries import PAUSES_SECONDS, pause_after
from webhooks.runner import run


def pause(webhook: Any) -> float:
    """The seconds until the next attempt."""
    at = row(webhook).next_attempt_at
    assert at is not None
    return (at - timezone.now()).total_seconds()


def test_pauses_grow_and_differ() -> None:
    for attempts, seconds in enumerate((*PAUSES_SECONDS, PAUSES_SECONDS[-1]), 1):
        pauses = {pause_after(attempts).total_seconds() for _ in range(50)}
        assert len(pauses) > 1
        assert min(pauses) >= seconds
        assert max(pauses) <= 1.25 * seconds


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_2xx_is_a_success(api: Api, application: str, hook: Receiver, status: int) -> None:
    webhook = subscribe(api, application, hook.url)
    hook.replies = [Reply(status)]

    run()

    shown = api.get(f"{application}/webhooks/{webhook['id']}").json()
    assert (shown["state"], shown["last_outcome"], shown["last_status"]) == (
        "ok",
        "delivered",
        status,
    )
    assert (shown["position"], shown["failing_since"]) == ("1", None)


@pytest.mark.parametrize("status", [300, 301, 308, 400, 401, 404, 409, 500, 599])
def test_everything_else_is_a_failure(
    api: Api, application: str, hook: Receiver, status: int
) -> None:
    webhook = subscribe(api, application, hook.url)
    hook.replies = [Reply(status, body=b"out of\norder")]

    run()

    shown = api.get(f"{application}/webhooks/{webhook['id']}").json()
    assert (shown["state"], shown["last_outcome"], shown["last_status"]) == (
        "failing",
        "status",
        status,
    )
    assert shown["position"] == "0"
    assert shown["failing_since"] == shown["last_attempt_at"]
    assert "order" not in str(shown)
    assert row(webhook).last_answer == "out of\\norder"


def test_410_disables_at_once_until_it_is_switched_on(
    api: Api, application: str, hook: Receiver
) -> None:
    webhook = subscribe(api, application, hook.url)
    path = f"{application}/webhooks/{webhook['id']}"
    hook.replies = [Reply(410)]
    run()
    shown = api.get(path).json()
    assert (shown["state"], shown["is_active"], shown["position"]) == ("disabled", False, "0")
    run()
    assert len(hook.received) == 1

    assert api.patch(path, {"is_active": True}).json()["state"] == "ok"

    run()
    assert hook.received[1].ids == ["1"]
    assert api.get(path).json()["failing_since"] is None


def test_three_days_of_failures_disable_it(api: Api, application: str, hook: Receiver) -> None:
    webhook = subscribe(api, application, hook.url)
    hook.replies = [Reply(500)] * 3
    run()
    since = timezone.now() - timedelta(days=3)
    for age, state in ((timedelta(minutes=1), "failing"), (timedelta(0), "disabled")):
        Webhook.objects.update(failing_since=since + age)
        make_due(webhook)

        run()

        assert row(webhook).state == state
    assert len(hook.received) == 3


def test_a_success_forgets_the_failures(api: Api, application: str, hook: Receiver) -> None:
    webhook = subscribe(api, application, hook.url)
    hook.replies = [Reply(500), Reply(500), Reply(200), Reply(500)]
    for _ in range(3):
        run()
        Webhook.objects.update(next_attempt_at=timezone.now())
    api.say(f"{application}/chats/1", "x")

    run()

    assert row(webhook).attempts == 1
    assert 4 < pause(webhook) < 6.5


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("retry_after", "low", "high"),
    [
        ("100", 100, 125),
        ("0", 5, 6.25),
        ("999999999", 7200, 9000),
        ("-5", 5, 6.25),
        ("soon", 5, 6.25),
        ("1" * 500, 5, 6.25),
        ("٣", 5, 6.25),
    ],
)
def test_retry_after_is_obeyed_within_bounds(
    api: Api,
    application: str,
    hook: Receiver,
    *,
    status: int,
    retry_after: str,
    low: float,
    high: float,
) -> None:
    webhook = subscribe(api, application, hook.url)
    value = retry_after.encode().decode("latin-1")
    hook.replies = [Reply(status, {"Retry-After": value})]

    run()

    assert low - 2 < pause(webhook) <= high


def test_retry_after_may_be_a_date(api: Api, application: str, hook: Receiver) -> None:
    webhook = subscribe(api, application, hook.url)
    at = datetime.now(UTC) + timedelta(seconds=1000)
    hook.replies = [Reply(503, {"Retry-After": format_datetime(at, usegmt=True)})]

    run()

    assert 990 < pause(webhook) < 1250


def test_retry_after_of_another_status_is_ignored(
    api: Api, application: str, hook: Receiver
) -> None:
    webhook = subscribe(api, application, hook.url)
    hook.replies = [Reply(500, {"Retry-After": "5000"})]

    run()

    assert pause(webhook) < 6.5


def test_logs_name_the_webhook_and_neither_secrets_nor_addresses_nor_answers(
    api: Api, application: str, hook: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.handler.setFormatter(formatter(as_json=True))
    webhook = subscribe(api, application, f"{hook.url}?token=hidden-in-the-url")
    new = api.post(f"{application}/webhooks/{webhook['id']}/secret").json()["secret"]
    hook.replies = [Reply(500, body=b"hidden-in-the-answer")]
    for _ in range(2):
        run()
        make_due(webhook)
    hook.replies = [Reply(410)]
    api.say(f"{application}/chats/1", "hidden-in-the-body")
    run()

    events = [
        vars(record)["msg"]["event"]
        for record in caplog.records
        if record.name == "webhooks.leases"
    ]
    assert events == ["webhook.failing", "webhook.back", "webhook.disabled"]
    assert webhook["id"] in caplog.text
    for secret in (webhook["secret"], new):
        assert secret.removeprefix("whsec_") not in caplog.text
        assert secret not in str(list(Webhook.objects.values()))
    assert "hidden-in" not in "\n".join(
        line for line in caplog.text.splitlines() if "httpcore" not in line
    )


def test_the_url_is_checked_again_when_settings_have_changed(
    api: Api, application: str, hook: Receiver, settings: Any
) -> None:
    webhook = subscribe(api, application, hook.url)
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update={"webhook_allowed_networks": ""})

    run()

    assert not hook.received
    assert row(webhook).last_outcome == "address"
