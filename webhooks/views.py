"""The routes of webhooks."""

from functools import partial
from http import HTTPStatus

from django.contrib.admin.models import CHANGE, DELETION
from django.http import HttpResponse
from django.urls import re_path
from rest_framework.request import Request

from api.requests import expected_versions, idempotent_request, replay_headers
from api.views import (
    APPLICATIONS,
    TOKEN,
    ApiView,
    conditional_response,
    created_response,
    json_response,
)
from applications.views import as_cursor, window_at_cursor
from events.pages import Position
from infra.natural_keys import by_pk
from ingest.idempotency import IdempotentRequest
from ingest.records import timestamp
from listing.pages import Pager, QuerySetSource, query_parameters
from operations.admin.log import note_edited, note_stored, write
from webhooks import services
from webhooks.models import Webhook
from webhooks.rules import clean_after, clean_change, clean_new
from webhooks.schema import (
    describe_collection,
    describe_item,
    describe_replay,
    describe_secret,
    describe_test,
)

#: A path segment.
WEBHOOK_ID = "(?P<webhook_id>[0-9a-f]{24})"


def webhook_json(webhook: Webhook) -> dict[str, object]:
    """The fields of the contract, in its order."""
    since, attempt = webhook.failing_since, webhook.last_attempt_at
    return {
        "id": webhook.webhook_id,
        "application_token": webhook.application_token,
        "url": webhook.url,
        "types": webhook.types,
        "chat_number": webhook.chat_number,
        "is_active": webhook.is_active,
        "state": webhook.state,
        "position": str(webhook.position),
        "failing_since": since and timestamp(since),
        "last_attempt_at": attempt and timestamp(attempt),
        "last_outcome": webhook.last_outcome or None,
        "last_status": webhook.last_status,
        "created_at": timestamp(webhook.created_at),
    }


@describe_collection
class WebhookCollection(ApiView):
    """The webhooks of one application."""

    models = (Webhook,)

    def get(self, request: Request, token: str) -> HttpResponse:
        """A page, newest first."""
        parameters = query_parameters(request)
        window = window_at_cursor(parameters)
        pager = Pager[Webhook](
            source=QuerySetSource(services.webhooks_of(token), "pk"),
            number_of=lambda webhook: webhook.pk,
            represent=webhook_json,
            as_parameters=as_cursor,
        )
        return json_response(pager.page(request, parameters, window))

    def post(self, request: Request, token: str) -> HttpResponse:
        """Create one; only this answer shows its secret, and not to who repeats the request."""
        once = idempotent_request(request)
        values, after = clean_new(request.data), clean_after(request.data, is_required=False)
        new = services.create_webhook(token=token, values=values, after=after, request=once)
        webhook = new.webhook
        if staff := self.staff_user:
            note_stored(staff, Webhook.objects.filter(by_pk([webhook])))
        data = {**webhook_json(webhook), "secret": new.secret}
        return created_response(
            self.http_request, webhook.webhook_id, data, once, version=webhook.version
        )


@describe_item
class WebhookItem(ApiView):
    """One webhook."""

    models = (Webhook,)

    def get(self, request: Request, token: str, webhook_id: str) -> HttpResponse:
        """Show it."""
        webhook = services.get_webhook(token=token, webhook_id=webhook_id)
        return conditional_response(request, webhook.version, partial(webhook_json, webhook))

    def patch(self, request: Request, token: str, webhook_id: str) -> HttpResponse:
        """Change some of its fields."""
        values = clean_change(request.data)
        webhook = services.change_webhook(
            token=token,
            webhook_id=webhook_id,
            values=values,
            expected=expected_versions(request),
        )
        if staff := self.staff_user:
            note_edited(staff, webhook, values)
        return conditional_response(request, webhook.version, partial(webhook_json, webhook))

    def delete(self, request: Request, token: str, webhook_id: str) -> HttpResponse:
        """Remove it: nothing more is sent."""
        deleted = services.delete_webhook(
            token=token, webhook_id=webhook_id, expected=expected_versions(request)
        )
        if staff := self.staff_user:
            write(staff, [deleted], DELETION, "Deleted.")
        response = HttpResponse(status=HTTPStatus.NO_CONTENT)
        del response["Content-Type"]
        return response


class _Action(ApiView):
    """A route that does something with a webhook, for which the admin has a button."""

    models = (Webhook,)
    actions = {**ApiView.actions, "POST": "change"}

    def note(self, token: str, webhook_id: str, what: str, once: IdempotentRequest | None) -> None:
        """Log what a member of the staff has done; a repeat has done nothing."""
        if (staff := self.staff_user) and not (once and once.is_repeat):
            rows = Webhook.objects.filter(application_token=token, webhook_id=webhook_id)
            write(staff, rows, CHANGE, what)


@describe_secret
class WebhookSecret(_Action):
    """The secret of one webhook, which nobody can read."""

    def post(self, request: Request, token: str, webhook_id: str) -> HttpResponse:
        """Make a new one; the old one signs too, for a day."""
        once = idempotent_request(request)
        secret = services.rotate_secret(token=token, webhook_id=webhook_id, request=once)
        self.note(token, webhook_id, "Replaced the secret.", once)
        return json_response({"secret": secret}, headers=replay_headers(once))


@describe_replay
class WebhookReplay(_Action):
    """Sends events again."""

    def post(self, request: Request, token: str, webhook_id: str) -> HttpResponse:
        """Set the webhook back to a position."""
        once = idempotent_request(request)
        after = clean_after(request.data, is_required=True) or Position(0)
        services.replay(token=token, webhook_id=webhook_id, after=after, request=once)
        self.note(token, webhook_id, f"Replayed the events after {after}.", once)
        data = {"position": str(after)}
        return json_response(data, HTTPStatus.ACCEPTED, replay_headers(once))


@describe_test
class WebhookTest(_Action):
    """Sends a test message."""

    def post(self, request: Request, token: str, webhook_id: str) -> HttpResponse:
        """Let a worker send it; the webhook then shows how that ended."""
        once = idempotent_request(request)
        at = services.request_test(token=token, webhook_id=webhook_id, request=once)
        self.note(token, webhook_id, "Requested a test.", once)
        data = {"requested_at": timestamp(at)}
        return json_response(data, HTTPStatus.ACCEPTED, replay_headers(once))


_WEBHOOKS = rf"{APPLICATIONS}/{TOKEN}/webhooks"
_WEBHOOK = rf"{_WEBHOOKS}/{WEBHOOK_ID}"

urlpatterns = [
    re_path(rf"{_WEBHOOKS}/?\Z", WebhookCollection.as_view()),
    re_path(rf"{_WEBHOOK}/?\Z", WebhookItem.as_view()),
    re_path(rf"{_WEBHOOK}/secret/?\Z", WebhookSecret.as_view()),
    re_path(rf"{_WEBHOOK}/replay/?\Z", WebhookReplay.as_view()),
    re_path(rf"{_WEBHOOK}/test/?\Z", WebhookTest.as_view()),
]
