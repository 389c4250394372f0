"""What may be purged of a chat: old messages from the first on, as far as none is on its way.

Only a prefix goes, so that a chat needs no more than one number to say what was purged.

Taking messages out, in short transactions, so that nobody waits long and any of them may fail.

The chat is marked first, and what lies at or below the mark is removed afterwards: see
ingest.late_rows for why in this order. Killed in between, the next purge removes the rest.

A purge: the chats of some applications, one after the other, and what has gone of them.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import takewhile

from django.db.models import Min, QuerySet

from chats.models import Chat
from chats.selectors import chat_row, chats_of
from infra.database import in_transaction
from infra.jobs import only_run
from infra.natural_keys import MOST_PREFIXES, with_keys
from infra.redis_client import redis_is_configured
from ingest.idempotency.records import forget_old_keys
from ingest.late_rows import PURGE_JOB, raise_horizon
from ingest.models import CountState
from ingest.read_your_writes import pending_is_complete
from ingest.redis_keys import parent_name
from listing import stored_rows
from messages_app.models import Message
from messages_app.records import MESSAGES
from messages_app.selectors import messages_of
from operations.audit.redis_state import pending_numbers

#: At most so many messages go together.
ROWS = 500


@dataclass(frozen=True, slots=True)
class ChatKey:
    """A chat by its natural key."""

    application_token: str
    chat_number: int

    @property
    def messages(self) -> "QuerySet[Message]":
        """What is stored of it, in order."""
        rows = messages_of(application_token=self.application_token, chat_number=self.chat_number)
        return rows.order_by("message_number")

    @property
    def key(self) -> tuple[str, int]:
        """The same as the parent of rows."""
        return (self.application_token, self.chat_number)


@dataclass(frozen=True, slots=True)
class Piece:
    """So many messages, up to the `last` number; `is_held_up`: older ones behind them must wait."""

    last: int
    messages: int
    is_held_up: bool


def pieces_of(chat: ChatKey, after: int, before: datetime) -> Iterator[Piece]:
    """What is above this number and was accepted before that moment, piece by piece.

    The last piece may be empty. Raises NoRedis, OperationalError.
    """
    while numbers := _old_numbers(chat, after, before):
        last = _settled_up_to(chat, after, numbers)
        messages = sum(number <= last for number in numbers)
        is_held_up = last < numbers[-1]
        yield Piece(last, messages, is_held_up)
        if is_held_up:
            return
        after = last


def _old_numbers(chat: ChatKey, after: int, before: datetime) -> list[int]:
    # A range with both its ends: with only one MariaDB may read a large chat from its first row.
    rows = _range(chat, after + 1)
    if not rows and (first := stored_rows.lowest_number_above(chat.key, after)):
        rows = _range(chat, first)
    return [number for number, _ in takewhile(lambda row: row[1] < before, rows)]


def _range(chat: ChatKey, first: int) -> Sequence[tuple[int, datetime]]:
    rows = chat.messages.filter(message_number__range=(first, first + ROWS - 1))
    return list(rows.values_list("message_number", "created_at"))


def _settled_up_to(chat: ChatKey, after: int, numbers: Sequence[int]) -> int:
    """The last of these stored numbers below which no row is still to come, or `after`.

    All numbers up to the last were given before it was stored. One that was given pends until it is
    in the table: so one that is missing there, then does not pend, and then is still missing, will
    never come, unless Redis has lost what pended and nobody knows what is queued. What pends
    although it is stored is left to the sweeper: Redis would show it again.
    """
    last = numbers[-1]
    if redis_is_configured():
        pending = pending_numbers(parent_name(chat.key), range(after + 1, last + 1))
        last = next(pending, last + 1) - 1
    gap = next(
        (place for place, number in enumerate(numbers, start=after + 1) if number > place), None
    )
    if gap is None or gap > last:
        return last
    known = sum(number <= last for number in numbers)
    now = chat.messages.filter(message_number__gt=after, message_number__lte=last).count()
    if now != known or not pending_is_complete():
        return gap - 1
    return last


def mark(chat: ChatKey, through: int) -> None:
    """From now on the messages up to this number are purged. Raises OperationalError."""
    rows = chat_row(*chat.key).filter(purged_through__lt=through)
    in_transaction(lambda: rows.update(purged_through=through))


def remove(chat: ChatKey, after: int, through: int) -> Iterator[int]:
    """Remove what is stored above the one number and up to the other.

    How many messages, transaction by transaction. Raises OperationalError.
    """
    while after < through:
        rows = chat.messages.filter(message_number__gt=after, message_number__lte=through)
        numbers = list(rows.values_list("message_number", flat=True)[:ROWS])
        # No number is left out, stored or not: one that is just being inserted is waited for.
        end = numbers[-1] if len(numbers) == ROWS else through
        in_transaction(partial(_remove, chat, after, end, numbers))
        after = end
        yield len(numbers)


def _remove(chat: ChatKey, after: int, end: int, numbers: Sequence[int]) -> None:
    # The chat first, as whoever numbers rows by the database does: so nobody waits in a circle.
    chat_row(*chat.key).update(count_state=CountState.CHANGED)
    rows = chat.messages.filter(message_number__gt=after, message_number__lte=end)
    rows.order_by().delete()
    if numbers:
        for subscriber in MESSAGES.subscribers:
            subscriber([(*chat.key, number) for number in numbers])


#: Gets how many messages are done since its last call; called often, also where nothing is old.
#: What it raises ends the purge.
Notice = Callable[[int], object]


@dataclass
class Purged:
    """So many messages of so many chats; `held_up`: chats of which more is old and must wait."""

    messages: int = 0
    chats: int = 0
    held_up: int = 0


def purge(tokens: Iterable[str], before: datetime, notice: Notice = lambda _: None) -> Purged:
    """Remove what was accepted before this moment. It may be ended anywhere and run again.

    Raises infra.jobs.JobIsRunning, NoRedis, OperationalError.
    """
    purged = Purged()
    with only_run(PURGE_JOB) as run:

        def go_on(messages: int = 0) -> None:
            run.still_alive()
            notice(messages)

        raise_horizon(before)
        for token in tokens:
            go_on()
            for chat in _chats_with_old_messages(token, before, go_on):
                before_this = purged.messages
                for messages in _purge_chat(chat, before, purged):
                    purged.messages += messages
                    go_on(messages)
                purged.chats += purged.messages > before_this
        # Those of purged messages that count no more; the others still answer for their day.
        forget_old_keys(go_on)
        run.outcome = vars(purged)
    return purged


def would_purge(tokens: Iterable[str], before: datetime, notice: Notice = lambda _: None) -> Purged:
    """What a purge would remove now. Raises NoRedis, OperationalError."""
    would = Purged()
    for token in tokens:
        for chat in _chats_with_old_messages(token, before, lambda: notice(0)):
            key = ChatKey(token, chat.chat_number)
            left = key.messages.filter(message_number__lte=chat.purged_through).count()
            messages = left
            for piece in pieces_of(key, chat.purged_through, before):
                messages += piece.messages
                would.held_up += piece.is_held_up
                notice(piece.messages)
            would.messages += messages
            would.chats += messages > 0
    return would


def _purge_chat(chat: Chat, before: datetime, purged: Purged) -> Iterator[int]:
    key = ChatKey(chat.application_token, chat.chat_number)
    after = chat.purged_through
    if key.messages.filter(message_number__lte=after).exists():
        yield from remove(key, 0, after)
    for piece in pieces_of(key, after, before):
        purged.held_up += piece.is_held_up
        if piece.messages:
            mark(key, piece.last)
            yield from remove(key, after, piece.last)
            after = piece.last


def _chats_with_old_messages(
    token: str, before: datetime, go_on: Callable[[], object]
) -> Iterator[Chat]:
    """Chat by chat; `go_on` is called for each page of chats, of which none may be old."""
    chats = chats_of(application_token=token).order_by("chat_number")
    page = list(chats[:MOST_PREFIXES])
    while page:
        first = _first_messages(token, [chat.chat_number for chat in page])
        for chat in page:
            number, created_at = first.get(chat.chat_number, (0, before))
            if created_at < before or 0 < number <= chat.purged_through:
                yield chat
        go_on()
        page = list(chats.filter(chat_number__gt=page[-1].chat_number)[:MOST_PREFIXES])


def _first_messages(token: str, chat_numbers: list[int]) -> dict[int, tuple[int, datetime]]:
    """Number and time of the first message of each of these chats."""
    stored = Message.objects.filter(application_token=token)
    first = stored.filter(chat_number__in=chat_numbers).order_by().values_list("chat_number")
    keys = [(token, *found) for found in first.annotate(Min("message_number"))]
    rows = stored.filter(with_keys(MESSAGES.key_fields, keys)) if keys else stored.none()
    return {
        chat_number: (number, created_at)
        for chat_number, number, created_at in rows.values_list(
            "chat_number", "message_number", "created_at"
        )
    }
