"""The loop of the webhook worker: many endpoints at once, one batch for each at a time.

Requests are sent by threads; the database is used by the loop alone. An endpoint that hangs holds
its own thread, and the loop goes on with the others. After a delivery an endpoint queues up behind
all others that are due, so one with a long backlog gets its turn and no more.

The loop goes on until nothing is due for longer than a process holds back its next wake-up.

Few processes need the client of HTTP, which is slow to import, so nothing imports this module but
the task, when it runs.
"""

import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

import orjson
from django.db import InterfaceError, OperationalError
from django.utils import timezone
from prometheus_client import Counter, Histogram

from applications.models import Application
from infra import worker_shutdown
from infra.errors import Invalid
from infra.logs import Event, get_logger
from infra.metrics import registry
from infra.rabbitmq.publisher import WAKE_EVERY_SECONDS
from infra.timeouts import WEBHOOK_DELIVERY_SECONDS, WEBHOOK_RUN_SECONDS
from webhooks import leases
from webhooks.batches import Batch, read_batch
from webhooks.destinations import destinations
from webhooks.models import Answer, Outcome, Webhook
from webhooks.rules import parse_url
from webhooks.sending import send
from webhooks.services import wake_up
from webhooks.signatures import message_id, signed_headers

logger = get_logger(__name__)

DELIVERIES = Counter(
    "chatsystem_webhook_deliveries",
    "Attempts to deliver to webhooks, by how they ended.",
    ("outcome",),
    registry=registry,
)
for _outcome in Outcome:
    DELIVERIES.labels(_outcome)
EVENTS = Counter(
    "chatsystem_webhook_events",
    "Events that endpoints of webhooks have accepted.",
    registry=registry,
)
SECONDS = Histogram(
    "chatsystem_webhook_delivery_seconds",
    "How long attempts to deliver took.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0),
    registry=registry,
)

#: Requests at the same time, by one process.
SLOTS = 32
POLL_SECONDS = 0.2
#: Nothing must be due for this long before the loop ends.
IDLE_SECONDS = 2 * WAKE_EVERY_SECONDS


@dataclass(frozen=True)
class Delivery:
    """A message to an endpoint; `batch` is None in a test.

    `deadline` counts from the claim, by time.monotonic(): a process that was suspended meanwhile
    sends nothing, since another one may hold the lease now.
    """

    webhook: Webhook
    message: str
    body: bytes
    deadline: float
    batch: Batch | None = None


def run() -> None:
    """Return when nothing is due, at a shutdown, or after WEBHOOK_RUN_SECONDS.

    Raises OperationalError and InterfaceError; leases that are held then end by themselves.
    """
    limit = time.monotonic() + WEBHOOK_RUN_SECONDS
    idle_until = 0.0  # if nothing is due at first, no wake-up was held back either
    with ThreadPoolExecutor(SLOTS, thread_name_prefix="webhook") as threads:
        flying = _Flying(threads)
        while True:
            is_late = time.monotonic() > limit
            ends = is_late or worker_shutdown.wait_for_shutdown(0)
            if flying.settle() | (not ends and flying.start()):
                idle_until = time.monotonic() + IDLE_SECONDS
            elif ends:
                if is_late:
                    wake_up.send(at_once=True)
                return
            elif time.monotonic() >= idle_until:
                return
            else:
                worker_shutdown.wait_for_shutdown(POLL_SECONDS)


class _Flying:
    """The deliveries that are under way."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self._threads = threads
        self._by_future: dict[Future[Answer], Delivery] = {}

    def start(self) -> bool:
        """Begin deliveries that are due; false if none is."""
        slots = SLOTS - len(self._by_future)
        held = [delivery.webhook for delivery in self._by_future.values()]
        is_any = False
        for webhook in leases.claim(slots, held) if slots else ():
            is_any = True
            delivery = _prepare_safely(webhook)
            if delivery is not None:
                self._by_future[self._threads.submit(_send, delivery)] = delivery
        return is_any

    def settle(self) -> bool:
        """Wait for the end of one, but not for long; false if none is under way."""
        if not self._by_future:
            return False
        done, _ = wait(self._by_future, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
        for one in done:
            _settle(self._by_future.pop(one), one.result())
        return True


def _prepare_safely(webhook: Webhook) -> Delivery | None:
    """The next delivery; an unexpected error is a failure of this webhook and of no other.

    Raises OperationalError and InterfaceError, which concern all.
    """
    try:
        return _prepare(webhook)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, others go on
        _note_unforeseen(webhook, error)
        leases.settle(webhook, webhook.position, Answer(Outcome.ERROR))
        return None


def _note_unforeseen(webhook: Webhook, error: Exception) -> None:
    logger.error(Event.WEBHOOK_UNFORESEEN, **leases.named(webhook), exc_info=error)


def _prepare(webhook: Webhook) -> Delivery | None:
    """The next delivery to a claimed endpoint; None if there is nothing to send."""
    deadline = time.monotonic() + WEBHOOK_DELIVERY_SECONDS
    application = Application.objects.filter(token=webhook.application_token).first()
    if application is None:
        leases.disable(webhook)
        return None
    if webhook.test_requested_at is not None:
        message = message_id(webhook, webhook.test_requested_at)
        return Delivery(webhook, message, _test_body(webhook), deadline)
    batch = read_batch(webhook, application)
    if not batch.is_worth_sending:
        leases.move(webhook, batch.end)
        return None
    if not leases.freeze(webhook, batch.end):
        leases.release(webhook)
        return None
    if batch.missed_before is not None and not webhook.attempts:
        logger.warning(
            Event.WEBHOOK_MISSED, **leases.named(webhook), missed_before=batch.missed_before
        )
    message, body = message_id(webhook, batch.end), _body(webhook, batch)
    return Delivery(webhook, message, body, deadline, batch)


def _body(webhook: Webhook, batch: Batch) -> bytes:
    missed = b""
    if batch.missed_before is not None:
        missed = b'"missed_before":%d,' % batch.missed_before
    return b'{"application_token":%s,%s"events":[%s],"next_after":%s}' % (
        orjson.dumps(webhook.application_token),
        missed,
        b",".join(batch.entries),
        orjson.dumps(str(batch.end)),
    )


def _test_body(webhook: Webhook) -> bytes:
    return orjson.dumps(
        {
            "application_token": webhook.application_token,
            "test": True,
            "events": [],
            "next_after": str(webhook.position),
        }
    )


def _send(delivery: Delivery) -> Answer:
    """Send it, in a thread without a database. An URL may be refused by new settings."""
    webhook = delivery.webhook
    try:
        with SECONDS.time():
            return send(
                parse_url(webhook.url),
                signed_headers(webhook, delivery.message, delivery.body, timezone.now()),
                delivery.body,
                destinations=destinations(),
                deadline=delivery.deadline,
            )
    except Invalid:
        return Answer(Outcome.ADDRESS)
    except Exception as error:  # noqa: BLE001 - whatever it is, others go on
        _note_unforeseen(webhook, error)
        return Answer(Outcome.ERROR)


def _settle(delivery: Delivery, answer: Answer) -> None:
    DELIVERIES.labels(answer.outcome).inc()
    if delivery.batch is None:
        leases.settle_test(delivery.webhook, answer)
        return
    leases.settle(delivery.webhook, delivery.batch.end, answer)
    if answer.is_success:
        EVENTS.inc(len(delivery.batch.entries))
