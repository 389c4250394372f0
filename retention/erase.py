"""The erasure of all messages of a sender or a chat, for a person's request.

Messages move from Redis to the table, or to the dead letters, so these are looked at in this order.
Each message is erased for good at once, so an erasure can be interrupted at any point and run
again. It goes on from where it was, because erased messages have no sender, and are skipped.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from django.db.models import QuerySet

from infra.errors import Unavailable
from infra.natural_keys import batches_by_pk, behind
from infra.redis_client import redis_is_configured, shard_of
from ingest.dead_letters.replay import rows_in
from ingest.erasure import erase, erase_stored
from ingest.message_format import Undecodable, UnknownFormat, read_member
from ingest.models import DeadLetter, letters_of
from ingest.pending_index import pending_after
from ingest.read_your_writes import pending_is_complete
from ingest.records import Key, NumberedRow
from ingest.redis_keys import parent_key
from messages_app.models import Message
from messages_app.records import MESSAGES, SENDER
from operations.audit.redis_state import parents_with_pending_rows

#: Messages erased in one transaction.
ROWS = 500
#: Pending rows or dead letters read at a time.
PAGE = 1000

_SENDER = MESSAGES.fields.index(SENDER)


class QueuedOutOfSight(Unavailable):
    """Some messages may be in a queue, where nothing can find them."""

    detail = (
        "Messages may be in a queue that cannot be read just now, so some may not be erased. Run "
        "the same command again when Redis and the workers work."
    )


@dataclass(frozen=True)
class ErasureScope:
    """The messages of an application by one sender, or of one chat; the other one is None."""

    application_token: str
    sender: str | None = None
    chat_number: int | None = None

    def includes(self, row: NumberedRow) -> bool:
        """Whether a row that is not stored is meant."""
        token, chat, _ = row.key
        return (
            token == self.application_token
            and self.chat_number in (None, chat)
            and self.sender in (None, row.values[_SENDER])
        )

    def stored(self) -> "QuerySet[Message]":
        """The stored messages that are not erased, in the order of an index."""
        rows = Message.objects.filter(application_token=self.application_token)
        if self.sender is not None:
            rows = rows.filter(sender=self.sender)
        if self.chat_number is not None:
            rows = rows.filter(chat_number=self.chat_number)
        return rows.order_by("chat_number", "message_number")


@dataclass
class ErasureResult:
    """Erased messages, by where they were."""

    stored: int = 0
    pending: int = 0
    dead_letters: int = 0


def erase_all(
    scope: ErasureScope, on_progress: Callable[[int], object] = lambda _: None
) -> ErasureResult:
    """Erase the messages of the scope; `on_progress` gets their number since its last call.

    Raises QueuedOutOfSight after all that can be found is erased, RedisUnavailable,
    OperationalError.
    """
    result = ErasureResult()
    for row in _pending(scope):
        result.pending += erase(MESSAGES, row.key)
        on_progress(1)
    for keys in _batches(scope):
        erased = erase_stored(MESSAGES, keys)
        result.stored += erased
        on_progress(erased)
    for row in _dead_letters(scope):
        result.dead_letters += erase(MESSAGES, row.key)
        on_progress(1)
    if not pending_is_complete(shard_of(scope.application_token)):
        raise QueuedOutOfSight
    return result


def count_all(scope: ErasureScope) -> ErasureResult:
    """Count what an erasure would erase now. Raises RedisUnavailable, OperationalError."""
    return ErasureResult(
        pending=sum(1 for _ in _pending(scope)),
        stored=scope.stored().filter(erased_at=None).count(),
        dead_letters=sum(1 for _ in _dead_letters(scope)),
    )


def _batches(scope: ErasureScope) -> Iterator[Sequence[Key]]:
    """The keys of the stored messages that are not erased, along the index that finds them."""
    last: tuple[int, int] | None = None
    fields = ("chat_number", "message_number")
    while True:
        rows = scope.stored().filter(behind(fields, last))
        found = list(rows.values_list(*fields, "erased_at")[:ROWS])
        if not found:
            return
        keys: list[Key] = [
            (scope.application_token, chat, number) for chat, number, at in found if at is None
        ]
        if keys:
            yield keys
        last = found[-1][:2]


def _pending(scope: ErasureScope) -> Iterator[NumberedRow]:
    """The pending rows of the scope. Raises RedisUnavailable."""
    if not redis_is_configured():
        return
    for name in set(parents_with_pending_rows()):
        if not name.startswith(f"{scope.application_token}/"):
            continue
        parent, above = parent_key(name), 0.0
        while members := pending_after(name, above, PAGE):
            above = members[-1][1]
            for member, _ in members:
                with suppress(Undecodable):  # the sweeper makes it a dead letter
                    row = read_member(parent, member).row
                    if scope.includes(row):
                        yield row


def _dead_letters(scope: ErasureScope) -> Iterator[NumberedRow]:
    """The rows of the scope among the dead letters."""
    letters = DeadLetter.objects.filter(
        letters_of(scope.application_token),
        kind=MESSAGES.name,
        parent__startswith=f"{scope.application_token}/",
    )
    for page in batches_by_pk(letters, PAGE):
        for letter in page:
            with suppress(UnknownFormat):  # nothing tells whose it is
                yield from filter(scope.includes, rows_in(letter))
