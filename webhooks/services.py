"""Changes of webhooks, for the API, the admin and the command."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F, QuerySet
from django.utils import timezone

from applications.models import Application, ApplicationNotFound
from events.pages import EventLog, EventsGone, Position
from infra.database import in_transaction
from infra.errors import Conflict, FieldError, Invalid
from infra.logs import Event, get_logger
from infra.rabbitmq.publisher import WakeUp
from infra.rabbitmq.queues import WEBHOOKS
from infra.versions import Versions, update_if_version
from ingest.idempotency import IdempotentRequest
from ingest.idempotency.records import make_once
from webhooks.leases import named
from webhooks.models import State, Webhook, WebhookNotFound, new_id
from webhooks.signatures import FORMER_SECRET_SIGNS_FOR, new_salt, secret_of

logger = get_logger(__name__)

#: Wakes the webhook worker.
wake_up = WakeUp(WEBHOOKS, "webhooks.tasks.deliver")

#: Webhooks of an application.
MAX_WEBHOOKS = 20


class TooManyWebhooks(Conflict):
    """The application has as many webhooks as it may have."""

    detail = f"An application may have at most {MAX_WEBHOOKS} webhooks."


@dataclass(frozen=True)
class NewWebhook:
    """A webhook with its secret, which a repeated request does not get."""

    webhook: Webhook
    secret: str | None


def webhooks_of(token: str) -> "QuerySet[Webhook]":
    """The webhooks of the application. Raises ApplicationNotFound."""
    if not Application.objects.filter(token=token).exists():
        raise ApplicationNotFound
    return Webhook.objects.filter(application_token=token)


def get_webhook(*, token: str, webhook_id: str) -> Webhook:
    """Raises WebhookNotFound."""
    webhook = _rows(token, webhook_id).first()
    if webhook is None:
        raise WebhookNotFound
    return webhook


def create_webhook(
    *,
    token: str,
    values: dict[str, Any],
    after: Position | None = None,
    request: IdempotentRequest | None = None,
) -> NewWebhook:
    """A new webhook, from this position of the log on, or from now on.

    A repeated request gets the webhook of the first one, as it is now. Raises ApplicationNotFound,
    TooManyWebhooks, EventsGone, Invalid, KeyReused; WebhookNotFound if it was deleted meanwhile.
    """
    salt = new_salt()

    def create(now: datetime) -> str:
        application = _locked_application(token)
        if Webhook.objects.filter(application_token=token).count() >= MAX_WEBHOOKS:
            raise TooManyWebhooks
        start = Position(application.last_event) if after is None else after
        _require_in_log(application, start)
        is_active = values.get("is_active", True)
        webhook = Webhook.objects.create(
            application_token=token,
            webhook_id=new_id(),
            secret_salt=salt,
            event_number=start.event_number,
            item=start.item,
            next_attempt_at=now if is_active else None,
            created_at=now,
            updated_at=now,
            **values,
        )
        return webhook.webhook_id

    done = make_once(token, request, create)
    wake_up.send()
    is_repeat = request is not None and request.is_repeat
    webhook = get_webhook(token=token, webhook_id=done.name)
    return NewWebhook(webhook, None if is_repeat else secret_of(salt))


def change_webhook(
    *, token: str, webhook_id: str, values: dict[str, Any], expected: Versions | None = None
) -> Webhook:
    """The webhook with these values; a delivery under way is sent again as the new ones say.

    Switching it on forgets its failures. Raises WebhookNotFound, Stale.
    """
    now = timezone.now()
    if values.get("is_active"):
        values = {**values, "state": State.OK, "attempts": 0, "failing_since": None}
        values["next_attempt_at"] = now
    elif "is_active" in values:
        values = {**values, "next_attempt_at": None}

    def change() -> Webhook:
        rows = _rows(token, webhook_id)
        if not update_if_version(rows, expected, **values, **_NEW_SERIES):
            raise WebhookNotFound
        return rows.get()

    webhook = in_transaction(change)
    wake_up.send()
    return webhook


#: Deliveries after this have ids of their own, even of the same events.
_NEW_SERIES: dict[str, Any] = {"series": F("series") + 1, "batch_event": None, "batch_item": None}


def delete_webhook(*, token: str, webhook_id: str, expected: Versions | None = None) -> Webhook:
    """The webhook that was. Raises WebhookNotFound, Stale."""

    def delete() -> Webhook:
        rows = _rows(token, webhook_id)
        # The version is compared by an update, which locks the row until it is deleted.
        if not update_if_version(rows, expected):
            raise WebhookNotFound
        webhook = rows.get()
        rows.delete()
        return webhook

    return in_transaction(delete)


def rotate_secret(
    *, token: str, webhook_id: str, request: IdempotentRequest | None = None
) -> str | None:
    """A new secret; the present one signs too, for a day. A repeated request gets None.

    Raises WebhookNotFound, KeyReused.
    """
    salt = new_salt()

    def rotate(now: datetime) -> str:
        rows = _rows(token, webhook_id)
        until = now + FORMER_SECRET_SIGNS_FOR
        webhook = rows.select_for_update().first()
        if webhook is None:
            raise WebhookNotFound
        update_if_version(
            rows, None, former_salt=webhook.secret_salt, former_until=until, secret_salt=salt
        )
        return webhook_id

    make_once(token, request, rotate)
    return None if request is not None and request.is_repeat else secret_of(salt)


def replay(
    *, token: str, webhook_id: str, after: Position, request: IdempotentRequest | None = None
) -> None:
    """Send all events after this position (again). Raises WebhookNotFound, EventsGone, Invalid."""

    def set_back(now: datetime) -> str:
        application = _locked_application(token)
        rows = _rows(token, webhook_id)
        webhook = rows.select_for_update().first()
        if webhook is None:
            raise WebhookNotFound
        _require_in_log(application, after)
        update_if_version(
            rows,
            None,
            **_NEW_SERIES,
            event_number=after.event_number,
            item=after.item,
            attempts=0,
            next_attempt_at=now if webhook.is_active else None,
        )
        return webhook_id

    make_once(token, request, set_back)
    wake_up.send()


def replay_all(webhook: Webhook) -> None:
    """Send all events that are kept again. Raises WebhookNotFound, ApplicationNotFound."""
    application = Application.objects.filter(token=webhook.application_token).first()
    if application is None:
        raise ApplicationNotFound
    start = Position(EventLog(application).lowest_number() - 1)
    replay(token=webhook.application_token, webhook_id=webhook.webhook_id, after=start)


def request_test(
    *, token: str, webhook_id: str, request: IdempotentRequest | None = None
) -> datetime:
    """Let a worker send a test message, also to a webhook that is not active; when it was asked.

    Raises WebhookNotFound, KeyReused.
    """

    def ask(now: datetime) -> str:
        if not update_if_version(_rows(token, webhook_id), None, test_requested_at=now):
            raise WebhookNotFound
        return webhook_id

    done = make_once(token, request, ask)
    wake_up.send()
    return done.at


def disable_webhook(*, token: str, webhook_id: str) -> None:
    """Send nothing more until the application switches it on again. Raises WebhookNotFound."""
    rows = _rows(token, webhook_id)
    off: dict[str, Any] = {"is_active": False, "state": State.DISABLED, "next_attempt_at": None}
    if not in_transaction(lambda: update_if_version(rows, None, **off)):
        raise WebhookNotFound
    logger.warning(Event.WEBHOOK_DISABLED, **named(rows.get()), outcome="operator", status=None)


def _rows(token: str, webhook_id: str) -> "QuerySet[Webhook]":
    return Webhook.objects.filter(application_token=token, webhook_id=webhook_id)


def _locked_application(token: str) -> Application:
    """The application, whose log does not grow meanwhile. Raises ApplicationNotFound."""
    application = Application.objects.select_for_update().filter(token=token).first()
    if application is None:
        raise ApplicationNotFound
    return application


def _require_in_log(application: Application, after: Position) -> None:
    """Raises EventsGone before the log's beginning, Invalid after its end."""
    if after.event_number > application.last_event:
        message = f"after may be at most {application.last_event}, the newest event."
        raise Invalid(FieldError("after", "range", message))
    lowest = EventLog(application).lowest_number()
    if after.next_event < lowest:
        raise EventsGone(lowest)
