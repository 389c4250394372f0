"""A receiver, an application, and a loop that delivers until nothing is due."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.api.client import Api
from tests.webhooks.receiver import Receiver, receiver
from webhooks import runner
from webhooks.models import Webhook


@pytest.fixture
def hook() -> Iterator[Receiver]:
    """A receiver."""
    with receiver() as running:
        yield running


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """End the loop as soon as nothing is due."""
    monkeypatch.setattr(runner, "IDLE_SECONDS", 0)


@pytest.fixture
def application(api: Api) -> str:
    """The path of an application with a chat: one event."""
    application = api.new_application()
    api.new_chat(application)
    return application


def subscribe(api: Api, application: str, url: str, **fields: Any) -> Any:
    """A new webhook, as the API answers it; by default from the beginning of the log on."""
    body = {"url": url, "after": 0, **fields}
    answer = api.post(f"{application}/webhooks", body)
    assert answer.status_code == 201, answer.content
    return answer.json()


def row(webhook: Any) -> Webhook:
    """The stored webhook."""
    return Webhook.objects.get(webhook_id=webhook["id"])


def make_due(webhook: Any) -> None:
    """Let the pause after a failure be over."""
    past = timezone.now() - timedelta(seconds=1)
    changed = Webhook.objects.filter(webhook_id=webhook["id"], is_active=True)
    assert changed.update(next_attempt_at=past)
