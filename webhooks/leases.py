"""Who delivers to which endpoint, and what becomes of it: claims, and the results of deliveries.

A worker holds an endpoint by a lease, which is taken by compare-and-set. So two workers never send
to one endpoint at the same time. The lease of a worker that died ends by itself. A result counts
only while the lease is held and the webhook is as it was: after a replay or a change in between,
the events are sent again.
"""

from collections import Counter as Tally
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from applications.models import Application
from events.pages import Position
from infra.errors import Stale
from infra.logs import Event, get_logger
from infra.natural_keys import by_pk
from infra.timeouts import WEBHOOK_LEASE_SECONDS
from infra.versions import Versions, update_if_version
from webhooks.models import Answer, Outcome, State, Webhook
from webhooks.retries import is_hopeless, pause_after

logger = get_logger(__name__)

#: Deliveries of one application at the same time, by one worker process.
MAX_OF_APPLICATION = 4


def claim(slots: int, held: Collection[Webhook]) -> Iterator[Webhook]:
    """Take the leases of up to `slots` endpoints that are due: the one that waits longest first.

    `held` are those of this process, of which an application may have MAX_OF_APPLICATION.
    """
    of_application = Tally(webhook.application_token for webhook in held)
    taken = 0
    for webhook in _candidates(slots, of_application):
        if taken == slots:
            return
        if of_application[webhook.application_token] < MAX_OF_APPLICATION and _take(webhook):
            of_application[webhook.application_token] += 1
            taken += 1
            yield webhook


def _candidates(slots: int, of_application: "Tally[str]") -> list[Webhook]:
    """Endpoints without a lease that have something to send, tests first."""
    now = timezone.now()
    full = [token for token, held in of_application.items() if held >= MAX_OF_APPLICATION]
    free = Webhook.objects.filter(Q(leased_until=None) | Q(leased_until__lt=now))
    free = free.exclude(application_token__in=full)
    tests = list(free.exclude(test_requested_at=None).order_by("test_requested_at")[:slots])
    new_events = Application.objects.filter(
        token=OuterRef("application_token"), last_event__gt=OuterRef("event_number")
    )
    due = free.filter(Q(item__isnull=False) | Exists(new_events), next_attempt_at__lte=now)
    known = {webhook.pk for webhook in tests}
    # The first ones may all belong to an application that gets few of the slots.
    by_time = due.order_by("next_attempt_at")[: slots * MAX_OF_APPLICATION]
    return [*tests, *(webhook for webhook in by_time if webhook.pk not in known)]


def _take(webhook: Webhook) -> bool:
    """Take the lease, unless another worker was faster or the webhook has changed."""
    now = timezone.now()
    lease, until = uuid4(), now + timedelta(seconds=WEBHOOK_LEASE_SECONDS)
    free = Q(leased_until=None) | Q(leased_until__lt=now)
    rows = Webhook.objects.filter(free, by_pk([webhook]), version=webhook.version)
    if not rows.update(lease=lease, leased_until=until):
        return False
    webhook.lease, webhook.leased_until = lease, until
    return True


def freeze(webhook: Webhook, end: Position) -> bool:
    """Remember the end of the batch before its first attempt; false if the lease is lost."""
    if webhook.batch_end == end:
        return True
    rows = _held(webhook).filter(version=webhook.version)
    return bool(rows.update(batch_event=end.event_number, batch_item=end.item))


def move(webhook: Webhook, end: Position) -> None:
    """Move over events that the webhook does not want, and release it."""
    _settle(webhook, event_number=end.event_number, item=end.item, next_attempt_at=timezone.now())


def settle(webhook: Webhook, end: Position, answer: Answer) -> State:
    """Store the result of a delivery, and release the webhook; its state then."""
    now = timezone.now()
    if answer.is_success:
        _settle(
            webhook,
            **_last(answer, now),
            event_number=end.event_number,
            item=end.item,
            batch_event=None,
            batch_item=None,
            attempts=0,
            failing_since=None,
            state=State.OK,
            next_attempt_at=now,
        )
        if webhook.state == State.FAILING:
            logger.info(Event.WEBHOOK_BACK, **named(webhook))
        return State.OK
    attempts, since = webhook.attempts + 1, webhook.failing_since or now
    failed: dict[str, Any] = {**_last(answer, now), "attempts": attempts, "failing_since": since}
    if answer.is_gone or is_hopeless(since, now):
        disabled = {"state": State.DISABLED, "is_active": False, "next_attempt_at": None}
        _settle(webhook, **failed, **disabled)
        logger.warning(Event.WEBHOOK_DISABLED, **named(webhook), **_why(answer))
        return State.DISABLED
    pause = pause_after(attempts, answer.retry_after)
    _settle(webhook, **failed, state=State.FAILING, next_attempt_at=now + pause)
    if attempts == 1:
        logger.warning(Event.WEBHOOK_FAILING, **named(webhook), **_why(answer))
    return State.FAILING


def settle_test(webhook: Webhook, answer: Answer) -> None:
    """Store the result of a test, which changes neither the state nor the position."""
    _settle(webhook, **_last(answer, timezone.now()), test_requested_at=None)


def disable(webhook: Webhook) -> None:
    """Disable a webhook whose application is gone."""
    _settle(
        webhook,
        state=State.DISABLED,
        is_active=False,
        next_attempt_at=None,
        test_requested_at=None,
    )


def release(webhook: Webhook) -> None:
    """Give the lease back, and nothing else."""
    _held(webhook).update(lease=None, leased_until=None)


def _settle(webhook: Webhook, **values: Any) -> None:
    """Store the values if nothing has changed since the claim; release the lease in any case."""
    expected = Versions(seen=frozenset({webhook.version}))
    try:
        update_if_version(_held(webhook), expected, **values, lease=None, leased_until=None)
    except Stale:
        release(webhook)


def _held(webhook: Webhook) -> "QuerySet[Webhook]":
    return Webhook.objects.filter(by_pk([webhook]), lease=webhook.lease)


def _last(answer: Answer, now: datetime) -> dict[str, Any]:
    return {
        "last_attempt_at": now,
        "last_outcome": answer.outcome,
        "last_status": answer.status,
        "last_answer": answer.text,
    }


def _why(answer: Answer) -> dict[str, object]:
    return {"outcome": Outcome(answer.outcome).value, "status": answer.status}


def named(webhook: Webhook) -> dict[str, object]:
    """The webhook in a line of the log; its URL may contain a secret."""
    return {"application": webhook.application_token, "webhook": webhook.webhook_id}
