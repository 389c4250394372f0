"""Consumer of the queue `failed`: messages that cannot be read or were redelivered too often.

Scheduled tasks among them are dropped, because beat sends them again.
"""

from base64 import b64encode
from hashlib import sha256
from uuid import NAMESPACE_OID, uuid5

from infra.jobs import only_run
from infra.logs import Event, get_logger
from infra.rabbitmq.queues import DELIVERY_LIMIT, FAILED, MAINTENANCE
from ingest.dead_letters.set_aside import Letter, keep, set_aside
from ingest.idempotent_insert import rows_not_stored, store_one_by_one
from ingest.message_format import UnknownFormat, read_message
from ingest.metrics import SET_ASIDE
from ingest.post_commit import finish_unqueued
from ingest.queue_drain import SUSPECT_AFTER, Delivery, QueueDrain
from ingest.records import NumberedRow

logger = get_logger(__name__)

CONSUME_JOB = "take-over-failed"
#: The kind of a letter that is an unreadable message.
MESSAGE = "message"
SET_ASIDE.labels(MESSAGE)
MAX_MESSAGES = 10_000
#: The broker's reasons for a dead letter.
_EXPIRED, _DELIVERY_LIMIT_REACHED = "expired", "delivery_limit"


def consume_failed(queue: str = FAILED, scheduled: str = MAINTENANCE) -> int:
    """Empty the queue; how many messages there were. `scheduled` is the queue of scheduled work.

    Raises BrokerUnavailable, JobIsRunning, and OperationalError: what was not taken over stays.
    """
    with only_run(CONSUME_JOB) as run:
        taken = 0
        drain = QueueDrain()
        try:
            while taken < MAX_MESSAGES and (delivery := drain.fetch(queue)):
                _consume(delivery, scheduled)
                drain.acknowledge(delivery)
                taken += 1
                run.still_alive()
        finally:
            drain.drop()
        run.outcome = {"taken": taken}
        return taken


def readable_rows(body: bytes) -> list[NumberedRow]:
    """The rows of a task message, each of them checked. Raises UnknownFormat."""
    rows = read_message(body)
    try:
        for row in rows:
            row.columns()
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise UnknownFormat(f"{type(error).__name__}: {error}") from error
    return rows


def _consume(delivery: Delivery, scheduled: str) -> None:
    if _is_scheduled(delivery, scheduled):
        return
    try:
        rows = readable_rows(delivery.body)
    except UnknownFormat as error:
        _keep(delivery, error)
        return
    if _tries(delivery) < SUSPECT_AFTER:
        store_one_by_one(rows)
    else:
        for row in rows_not_stored(rows):
            set_aside(row, "its message was redelivered again and again, and never stored")
    finish_unqueued(rows)


def _is_scheduled(delivery: Delivery, scheduled: str) -> bool:
    """Whether it is a scheduled task: one that expired, killed its workers, or is unknown."""
    headers = delivery.headers
    reason, task = _reason(delivery), headers.get("task")
    if reason == _EXPIRED:
        return True  # rows never expire
    if headers.get("x-first-death-queue") != scheduled or not task:
        return False
    logger.warning(Event.SCHEDULED_DROPPED, task=task, reason=reason)
    return True


def _reason(delivery: Delivery) -> str:
    return str(delivery.headers.get("x-first-death-reason"))


def _tries(delivery: Delivery) -> int:
    """How often it was taken from the queue `failed` in vain.

    RabbitMQ 4 continues the count of the previous queue; older servers start at 0.
    """
    before = DELIVERY_LIMIT + 1 if _reason(delivery) == _DELIVERY_LIMIT_REACHED else 1
    return delivery.attempts - before if delivery.attempts >= before else delivery.attempts


def _keep(delivery: Delivery, error: UnknownFormat) -> None:
    headers = {name: str(delivery.headers.get(name, "")) for name in ("task", "id")}
    payload = {"headers": headers, "body": b64encode(delivery.body).decode()}
    queue = _first_queue(delivery)
    letter = Letter(kind=MESSAGE, queue=queue, key=(), payload=payload)
    acceptance = uuid5(NAMESPACE_OID, f"{queue} {sha256(delivery.body).hexdigest()}")
    keep(acceptance, letter, f"cannot be read: {error}")


def _first_queue(delivery: Delivery) -> str:
    """The queue that the message was in before it failed."""
    deaths = delivery.headers.get("x-death")
    earliest = deaths[-1] if isinstance(deaths, list) and deaths else {}
    return str(earliest.get("queue", FAILED) if isinstance(earliest, dict) else FAILED)[:64]
