"""What may be purged of a chat: old messages from the first on, as far as none is on its way.

Only a prefix goes, so that a chat needs no more than one number to say what was purged.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile

from django.db.models import QuerySet

from core import stored_numbers
from core.accept.waiting import all_is_seen
from core.redis.client import is_configured
from core.redis.inspection import pending_numbers
from core.redis.keys import parent_name
from messages_app.models import Message
from messages_app.selectors import messages_of

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
    if not rows and (first := stored_numbers.lowest_above(chat.key, after)):
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
    if is_configured():
        pending = pending_numbers(parent_name(chat.key), range(after + 1, last + 1))
        last = next(pending, last + 1) - 1
    gap = next(
        (place for place, number in enumerate(numbers, start=after + 1) if number > place), None
    )
    if gap is None or gap > last:
        return last
    known = sum(number <= last for number in numbers)
    now = chat.messages.filter(message_number__gt=after, message_number__lte=last).count()
    if now != known or not all_is_seen():
        return gap - 1
    return last
