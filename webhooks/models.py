"""The table of webhooks. Deliveries have no rows: a webhook is a place in the log of events."""

import secrets
from dataclasses import dataclass

from django.db import models

from applications.models import TOKEN_BYTES
from events.pages import Position
from infra.errors import NotFound
from ingest.models import StoredRecord

ID_BYTES = 12
MAX_URL_CHARACTERS = 2048
#: The beginning of an answer that operators see.
MAX_ANSWER_CHARACTERS = 300


class WebhookNotFound(NotFound):
    """The application has no webhook with this id."""

    detail = "There is no such webhook."


class State(models.TextChoices):
    """The outcome of the latest deliveries."""

    OK = "ok"
    FAILING = "failing"
    #: It failed for too long, or answered 410, or an operator disabled it.
    DISABLED = "disabled"


class Outcome(models.TextChoices):
    """How an attempt to deliver ended."""

    DELIVERED = "delivered"
    #: The answer has another status than 2xx.
    STATUS = "status"
    #: The name of the host has no address that deliveries may go to.
    ADDRESS = "address"
    CONNECTION = "connection"
    TLS = "tls"
    TIMEOUT = "timeout"
    #: The answer is not HTTP.
    PROTOCOL = "protocol"
    #: An error on this side, which the log describes.
    ERROR = "error"


_GONE = 410


@dataclass(frozen=True)
class Answer:
    """How a request ended; `retry_after` in seconds, `text` the beginning of the answer."""

    outcome: Outcome
    status: int | None = None
    text: str = ""
    retry_after: float | None = None

    @property
    def is_success(self) -> bool:
        """Whether the events are delivered."""
        return self.outcome is Outcome.DELIVERED

    @property
    def is_gone(self) -> bool:
        """Whether the endpoint wants nothing more."""
        return self.status == _GONE


def new_id() -> str:
    """96 random bits, as 24 hexadecimal digits."""
    return secrets.token_hex(ID_BYTES)


class Webhook(StoredRecord):
    """An endpoint, and how far it has got.

    - `types`: the types of events that it gets; null means all, also those of later releases.
    - `secret_salt`: its secret is derived from it (webhooks.signatures). `former_salt` is that of
      the secret before, which also signs until `former_until`.
    - `event_number` and `item`: the position (events.pages.Position) behind all that is delivered.
    - `batch_event` and `batch_item`: the end of the batch that is being delivered; null before its
      first attempt. A retry sends the same batch.
    - `series`: rises with each replay and each change of what is sent, so that ids of deliveries
      differ from those before.
    - `attempts` of the present batch failed, the first attempt after a success at `failing_since`.
    - `next_attempt_at`: the earliest time of the next delivery; null unless `is_active`.
    - `lease`: of the worker that delivers now, until `leased_until`.
    - `test_requested_at`: since then a test message waits to be sent.
    - `last_…`: the latest attempt. `last_answer` may quote the endpoint and is for operators.
    """

    shard_key = "application_token"

    application_token = models.CharField(max_length=2 * TOKEN_BYTES)
    webhook_id = models.CharField(max_length=2 * ID_BYTES, default=new_id)
    url = models.CharField(max_length=MAX_URL_CHARACTERS)
    types = models.JSONField(null=True)
    chat_number = models.PositiveBigIntegerField(null=True)
    is_active = models.BooleanField(default=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.OK)

    secret_salt = models.CharField(max_length=32)
    former_salt = models.CharField(max_length=32, blank=True)
    former_until = models.DateTimeField(null=True)

    event_number = models.PositiveBigIntegerField()
    item = models.PositiveBigIntegerField(null=True)
    batch_event = models.PositiveBigIntegerField(null=True)
    batch_item = models.PositiveBigIntegerField(null=True)
    series = models.PositiveBigIntegerField(default=0)

    attempts = models.PositiveIntegerField(default=0)
    failing_since = models.DateTimeField(null=True)
    next_attempt_at = models.DateTimeField(null=True)
    lease = models.UUIDField(null=True)
    leased_until = models.DateTimeField(null=True)
    test_requested_at = models.DateTimeField(null=True)

    last_attempt_at = models.DateTimeField(null=True)
    last_outcome = models.CharField(max_length=10, choices=Outcome.choices, blank=True)
    last_status = models.PositiveSmallIntegerField(null=True)
    last_answer = models.CharField(max_length=MAX_ANSWER_CHARACTERS, blank=True)

    class Meta:
        db_table = "webhooks"
        verbose_name = "webhook"
        constraints = (
            models.UniqueConstraint(
                fields=("application_token", "webhook_id"), name="webhooks_natural_key"
            ),
        )
        indexes = (
            models.Index(fields=("next_attempt_at",), name="webhooks_next_attempt"),
            models.Index(fields=("test_requested_at",), name="webhooks_test_requested"),
        )

    def __str__(self) -> str:
        return f"{self.application_token}/{self.webhook_id}"

    @property
    def position(self) -> Position:
        """The place behind all that is delivered."""
        return Position(self.event_number, self.item)

    @property
    def batch_end(self) -> Position | None:
        """The end of the batch that was attempted last and is not delivered yet."""
        if self.batch_event is None:
            return None
        return Position(self.batch_event, self.batch_item)
