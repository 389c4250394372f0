"""The purge: removes messages that were accepted before a date, chat by chat.

Only the beginning of a chat is removed, up to the first message that is not old or whose row may
still be stored, so one number per chat (`purged_through`) is enough to record it. It is written
before the rows are removed (ingest.late_rows explains why); the next purge removes the rest. All
transactions are short, so that no request waits long and any of them may fail.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import takewhile

from django.db.models import Min, QuerySet

from chats.models import Chat, ChatKey
from chats.records import CHATS
from infra.database import in_transaction
from infra.jobs import only_run
from infra.natural_keys import MOST_PREFIXES, with_keys
from infra.redis_client import redis_is_configured, shard_of
from ingest.idempotency.records import forget_old_keys
from ingest.late_rows import PURGE_JOB, raise_horizon
from ingest.models import CountState
from ingest.read_your_writes import lowest_number_above, pending_is_complete
from ingest.redis_keys import parent_name
from ingest.row_changes import Action, RowChange, announce
from messages_app.models import Message
from messages_app.records import MESSAGES
from operations.audit.redis_state import pending_numbers

#: Messages removed in one transaction, at most.
ROWS = 500

#: Gets the number of messages handled since its last call. It is called every few seconds, also
#: where nothing is old. An exception that it raises ends the purge.
ProgressCallback = Callable[[int], object]


@dataclass
class PurgeResult:
    """The purged messages, their chats, and the chats in which more old messages are held up."""

    messages: int = 0
    chats: int = 0
    held_up: int = 0


@dataclass(frozen=True, slots=True)
class PurgeableRange:
    """Old messages up to the number `last`; `is_held_up`: more of them follow but must wait."""

    last: int
    messages: int
    is_held_up: bool


def purge(
    tokens: Iterable[str], before: datetime, on_progress: ProgressCallback = lambda _: None
) -> PurgeResult:
    """Purge messages accepted before this time, in these applications.

    A purge can be interrupted at any point and run again.

    Raises infra.jobs.JobIsRunning, RedisUnavailable, OperationalError.
    """
    result = PurgeResult()
    with only_run(PURGE_JOB) as run:

        def report(messages: int = 0) -> None:
            run.still_alive()
            on_progress(messages)

        raise_horizon(before)
        for token in tokens:
            report()
            for chat in _chats_with_old_messages(token, before, report):
                messages_before = result.messages
                for messages in _purge_chat(chat, before, result):
                    result.messages += messages
                    report(messages)
                result.chats += result.messages > messages_before
        # Expired idempotency keys go as well. Unexpired ones of purged messages stay in force.
        forget_old_keys(report)
        run.outcome = vars(result)
    return result


def dry_run(
    tokens: Iterable[str], before: datetime, on_progress: ProgressCallback = lambda _: None
) -> PurgeResult:
    """Count what a purge would remove now. Raises RedisUnavailable, OperationalError."""
    result = PurgeResult()
    for token in tokens:
        for chat in _chats_with_old_messages(token, before, lambda: on_progress(0)):
            key = chat.key
            messages = _stored(key).filter(message_number__lte=chat.purged_through).count()
            for found in purgeable_ranges(key, chat.purged_through, before):
                messages += found.messages
                result.held_up += found.is_held_up
                on_progress(found.messages)
            result.messages += messages
            result.chats += messages > 0
    return result


def _purge_chat(chat: Chat, before: datetime, result: PurgeResult) -> Iterator[int]:
    key = chat.key
    after = chat.purged_through
    if _stored(key).filter(message_number__lte=after).exists():
        yield from remove(key, 0, after)
    for found in purgeable_ranges(key, after, before):
        result.held_up += found.is_held_up
        if found.messages:
            mark(key, found.last)
            yield from remove(key, after, found.last)
            after = found.last


def _chats_with_old_messages(
    token: str, before: datetime, report: Callable[[], object]
) -> Iterator[Chat]:
    """The chats to purge; `report` is called for each page of chats, even if none is old."""
    chats = CHATS.rows((token,)).order_by("chat_number")
    page = list(chats[:MOST_PREFIXES])
    while page:
        first = _first_messages(token, [chat.chat_number for chat in page])
        for chat in page:
            number, created_at = first.get(chat.chat_number, (0, before))
            if created_at < before or 0 < number <= chat.purged_through:
                yield chat
        report()
        page = list(chats.filter(chat_number__gt=page[-1].chat_number)[:MOST_PREFIXES])


def _first_messages(token: str, chat_numbers: list[int]) -> dict[int, tuple[int, datetime]]:
    """The number and time of the first stored message of each of these chats."""
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


def purgeable_ranges(chat: ChatKey, after: int, before: datetime) -> Iterator[PurgeableRange]:
    """The messages above this number that were accepted before this time, range by range.

    The last range may be empty. Raises RedisUnavailable, OperationalError.
    """
    while numbers := _old_numbers(chat, after, before):
        last = _last_final_number(chat, after, numbers)
        messages = sum(number <= last for number in numbers)
        is_held_up = last < numbers[-1]
        yield PurgeableRange(last, messages, is_held_up)
        if is_held_up:
            return
        after = last


def _old_numbers(chat: ChatKey, after: int, before: datetime) -> list[int]:
    # A range with both bounds: with one bound MariaDB may read a large chat from its first row.
    rows = _read_range(chat, after + 1)
    if not rows and (first := lowest_number_above(chat, after)):
        rows = _read_range(chat, first)
    return [number for number, _ in takewhile(lambda row: row[1] < before, rows)]


def _read_range(chat: ChatKey, first: int) -> Sequence[tuple[int, datetime]]:
    rows = _stored(chat).filter(message_number__range=(first, first + ROWS - 1))
    return list(rows.values_list("message_number", "created_at"))


def _last_final_number(chat: ChatKey, after: int, numbers: Sequence[int]) -> int:
    """The last of these stored numbers below which no row can still be stored, or `after`.

    All numbers below a stored one were assigned before it was stored, and an assigned number is
    pending until its row is in the table. So a number that is missing in the table, then not
    pending, and then still missing will never be stored, unless Redis has lost pending rows: then
    it is unknown which rows are queued. A number that is stored and still pending is left to the
    sweeper, because lists would show its row again from Redis.
    """
    last = numbers[-1]
    if redis_is_configured():
        pending = pending_numbers(parent_name(chat), range(after + 1, last + 1))
        last = next(pending, last + 1) - 1
    gap = next(
        (place for place, number in enumerate(numbers, start=after + 1) if number > place), None
    )
    if gap is None or gap > last:
        return last
    known = sum(number <= last for number in numbers)
    now = _stored(chat).filter(message_number__gt=after, message_number__lte=last).count()
    if now != known or not pending_is_complete(shard_of(chat.application_token)):
        return gap - 1
    return last


def _stored(chat: ChatKey) -> "QuerySet[Message]":
    """The stored messages of the chat, in order."""
    return MESSAGES.rows(chat).order_by("message_number")


def mark(chat: ChatKey, through: int) -> None:
    """Record that messages up to this number are purged. Raises OperationalError."""
    rows = CHATS.rows(chat).filter(purged_through__lt=through)
    in_transaction(lambda: rows.update(purged_through=through))


def remove(chat: ChatKey, after: int, through: int) -> Iterator[int]:
    """Remove the messages above `after`, up to `through`; yields a count for each transaction.

    Raises OperationalError.
    """
    while after < through:
        rows = _stored(chat).filter(message_number__gt=after, message_number__lte=through)
        numbers = list(rows.values_list("message_number", flat=True)[:ROWS])
        # The ranges leave out no number, stored or not, so a concurrent insert is waited for.
        end = numbers[-1] if len(numbers) == ROWS else through
        in_transaction(partial(_remove_range, chat, after, end, numbers))
        after = end
        yield len(numbers)


def _remove_range(chat: ChatKey, after: int, end: int, numbers: Sequence[int]) -> None:
    # Lock the chat first, as numbering by the database does, so that the two cannot deadlock.
    CHATS.rows(chat).update(count_state=CountState.CHANGED)
    rows = _stored(chat).filter(message_number__gt=after, message_number__lte=end)
    rows.order_by().delete()
    if numbers:
        keys = [(*chat, number) for number in numbers]
        announce(RowChange(MESSAGES.name, Action.PURGED, keys))
