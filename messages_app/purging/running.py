"""A purge: the chats of some applications, one after the other, and what has gone of them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Min

from chats.models import Chat
from chats.selectors import chats_of
from core.accept.purged import JOB, reach
from core.idempotency.records import forget_old
from core.jobs import only_run
from core.natural_keys import MOST_PREFIXES, with_keys
from messages_app.accept import MESSAGES
from messages_app.models import Message
from messages_app.purging.prefix import ChatKey, pieces_of
from messages_app.purging.removing import mark, remove

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

    Raises core.jobs.JobIsRunning, NoRedis, OperationalError.
    """
    purged = Purged()
    with only_run(JOB) as run:

        def go_on(messages: int = 0) -> None:
            run.still_alive()
            notice(messages)

        reach(before)
        for token in tokens:
            go_on()
            for chat in _chats_with_old_messages(token, before, go_on):
                before_this = purged.messages
                for messages in _purge_chat(chat, before, purged):
                    purged.messages += messages
                    go_on(messages)
                purged.chats += purged.messages > before_this
        # Those of purged messages that count no more; the others still answer for their day.
        forget_old(go_on)
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
