"""Keys are required in these tests, and keys do not carry over from test to test."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from applications.authentication import forget_identities
from applications.services import make_operator_key
from infra import database
from ingest.numbering.authority import latest_epoch
from tests.api.client import Api
from tests.keys.clients import WEBHOOK_ID, Owner, new_owner, with_key
from webhooks.models import Webhook


@pytest.fixture(autouse=True)
def keys_required(no_queue: None, settings: Settings) -> Iterator[None]:
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update={"require_keys": True})
    forget_identities()
    latest_epoch.value = 0
    yield
    forget_identities()
    latest_epoch.value = 0
    database.database_breaker.cache_clear()


@pytest.fixture
def operator(db: None) -> Api:
    """The API for an operator, who may access everything."""
    return with_key(make_operator_key(name="ops"))


@pytest.fixture
def owner(operator: Api) -> Owner:
    """An application with a webhook, a chat, and a message in it."""
    owner = new_owner(operator)
    owner.api.say(owner.api.new_chat(owner.path), "hello")
    made = owner.api.post(f"{owner.path}/webhooks", {"url": "https://hooks.example.org"})
    Webhook.objects.filter(webhook_id=made.json()["id"]).update(webhook_id=WEBHOOK_ID)
    return owner


@pytest.fixture
def stranger(operator: Api) -> Owner:
    """A second application."""
    return new_owner(operator)
