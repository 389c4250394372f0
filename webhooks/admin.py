"""Webhooks in the admin: where events are sent, how far that has got, and why it fails.

Secrets are not shown and cannot be: they are not stored (webhooks.signatures).
"""

from collections.abc import Callable

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE
from django.db import DatabaseError, InterfaceError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from infra.errors import DomainError
from operations.admin.cells import conversation_link, folded, list_link, preview
from operations.admin.confirmation import Confirmation, confirmation_page
from operations.admin.lists import ReadOnlyAdmin
from operations.admin.log import write
from operations.admin.records import key_parts
from webhooks import services
from webhooks.models import Webhook

_REPLAY = Confirmation(
    action="replay",
    title="Replay webhooks",
    warning="All events that are kept are sent again to these endpoints, from the first one on. "
    "Receivers that do not drop known events act on them twice.",
)
_DISABLE = Confirmation(
    action="disable",
    title="Disable webhooks",
    warning="These endpoints get nothing more, until their applications switch them on again.",
)
_TEST = Confirmation(
    action="test",
    title="Test webhooks",
    warning="A message without events is sent to these endpoints, once.",
)


@admin.register(Webhook)
class WebhookAdmin(ReadOnlyAdmin[Webhook]):
    """The webhooks of all applications, newest first."""

    actions = ("replay", "disable", "test")
    list_display = ("webhook_id", "application", "short_url", "condition", "at", "last")
    fields = (
        "webhook_id",
        "application",
        "url",
        "wanted",
        "chat",
        "condition",
        "at",
        "failing_since",
        "attempts",
        "next_attempt_at",
        "leased_until",
        "former_until",
        "last_attempt_at",
        "last",
        "answer",
        "created_at",
        "updated_at",
    )
    search_fields = ("application_token",)
    search_help_text = "Search by TOKEN."

    @admin.display(description="application")
    def application(self, webhook: Webhook) -> SafeString:
        token = webhook.application_token
        return list_link("applications.application", (token,), token)

    @admin.display(description="URL")
    def short_url(self, webhook: Webhook) -> SafeString:
        return preview(webhook.url)

    @admin.display(description="types")
    def wanted(self, webhook: Webhook) -> str:
        return "all" if webhook.types is None else ", ".join(webhook.types)

    @admin.display(description="chat")
    def chat(self, webhook: Webhook) -> SafeString | str:
        number = webhook.chat_number
        return (
            "all"
            if number is None
            else conversation_link(webhook.application_token, number, number)
        )

    @admin.display(description="state")
    def condition(self, webhook: Webhook) -> str:
        return webhook.state if webhook.is_active else f"{webhook.state}, off"

    @admin.display(description="position")
    def at(self, webhook: Webhook) -> SafeString:
        """Where it is in the log, as a link to the events."""
        return list_link(
            "events.applicationevent", (webhook.application_token,), str(webhook.position)
        )

    @admin.display(description="last attempt")
    def last(self, webhook: Webhook) -> str:
        status = webhook.last_status
        return webhook.last_outcome if status is None else f"{webhook.last_outcome} {status}"

    @admin.display(description="last answer")
    def answer(self, webhook: Webhook) -> SafeString:
        """The beginning of what the endpoint answered, or of the error."""
        return folded(webhook.last_answer)

    def find(self, rows: "QuerySet[Webhook]", text: str) -> "QuerySet[Webhook] | None":
        """The webhooks of an application."""
        parts = key_parts(text, 1)
        if parts is None:
            return None
        return rows.filter(application_token=parts[0]).order_by("-pk")

    def has_control_permission(self, request: HttpRequest) -> bool:
        """Whether the user may take the actions; nobody changes webhooks in a form."""
        return request.user.has_perm("webhooks.change_webhook")

    @admin.action(
        description="Replay the selected webhooks: send all kept events again",
        permissions=["control"],
    )
    def replay(self, request: HttpRequest, webhooks: "QuerySet[Webhook]") -> HttpResponse | None:
        return self._confirmed(request, webhooks, _REPLAY, services.replay_all, "Replayed")

    @admin.action(description="Disable the selected webhooks", permissions=["control"])
    def disable(self, request: HttpRequest, webhooks: "QuerySet[Webhook]") -> HttpResponse | None:
        def work(webhook: Webhook) -> None:
            services.disable_webhook(token=webhook.application_token, webhook_id=webhook.webhook_id)

        return self._confirmed(request, webhooks, _DISABLE, work, "Disabled")

    @admin.action(description="Send a test to the selected webhooks", permissions=["control"])
    def test(self, request: HttpRequest, webhooks: "QuerySet[Webhook]") -> HttpResponse | None:
        def work(webhook: Webhook) -> None:
            services.request_test(token=webhook.application_token, webhook_id=webhook.webhook_id)

        return self._confirmed(request, webhooks, _TEST, work, "Requested a test")

    def _confirmed(
        self,
        request: HttpRequest,
        webhooks: "QuerySet[Webhook]",
        confirmation: Confirmation,
        work: Callable[[Webhook], object],
        done: str,
    ) -> HttpResponse | None:
        """Ask for confirmation, or do it. Each one fails on its own."""
        page = confirmation_page(self, request, webhooks, confirmation)
        if page is not None:
            return page
        for webhook in webhooks:
            try:
                work(webhook)
                write(request.user, [webhook], CHANGE, f"{done}.")
            except DomainError as error:
                self.message_user(request, f"{webhook}: {error.detail}", messages.ERROR)
            except (DatabaseError, InterfaceError) as error:
                message = f"{webhook} was left as it is, because the database failed: {error}"
                self.message_user(request, message, messages.ERROR)
                return None
            else:
                self.message_user(request, f"{done}: {webhook}", messages.SUCCESS)
        return None
