"""The audit of webhooks: each one belongs to an application, and is not ahead of its log.

A webhook ahead of the log would silently leave out events. The log only grows, and it is read after
the positions, so no suspect needs a second look.
"""

from collections.abc import Iterator

from applications.models import Application
from infra.natural_keys import batches_by_pk
from operations.audit.checks import Check, Cursor, Finding, error
from webhooks.models import Webhook

_PAGE = 500


def run(cursor: Cursor) -> Iterator[Finding]:
    """Each webhook has its application, whose log reaches as far as the webhook has got."""
    after = int(cursor.after[0]) if cursor.after else 0
    for page in batches_by_pk(Webhook.objects.all(), _PAGE, after):
        tokens = {webhook.application_token for webhook in page}
        rows = Application.objects.filter(token__in=tokens).values_list("token", "last_event")
        last = dict(rows)
        for webhook in page:
            yield from _compare(webhook, last.get(webhook.application_token))
        cursor.reached([page[-1].pk], len(page))


def _compare(webhook: Webhook, last: int | None) -> Iterator[Finding]:
    key = (webhook.application_token,)
    name = f"webhook {webhook.webhook_id}"
    if last is None:
        yield error("webhooks", key, f"{name} belongs to an application that does not exist")
    elif webhook.event_number > last:
        what = f"{name} is at {webhook.position}, and the last event is {last}"
        yield error("webhooks", key, what)


CHECK = Check("webhooks", run)
