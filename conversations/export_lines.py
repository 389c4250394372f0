"""The lines of an export: the application, then chat by chat with its messages, in bounded memory.

Each step reads a range of the natural key with both bounds: with one bound, MariaDB may read all
rows from the first one, at each step. Where numbers are not dense the next stored one is looked up,
so the cost follows the number of rows. Messages written during the export may be missing.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from django.db.models import Q, Sum

from applications.models import Application
from chats.models import Chat
from chats.records import CHATS
from conversations.errors import UnknownApplication
from conversations.export_format import (
    MAX_INTEGER,
    ApplicationLine,
    ChatLine,
    History,
    MessageLine,
)
from ingest.models import StoredRecord
from listing import parent_rows
from messages_app.models import Message
from messages_app.records import MESSAGES
from operations.counts import count_children

#: Messages in one step.
STEP = 500
_HISTORY = ("erased_at", "created_at", "updated_at", "version")
#: Applications listed in an error message.
MAX_LISTED = 50


def find_application(token_or_name: str) -> Application:
    """The application with this token, or else with this name. Raises UnknownApplication."""
    by_token = Application.objects.filter(token=token_or_name).first()
    if by_token:
        return by_token
    by_name = Application.objects.filter(name=token_or_name.strip()).order_by("pk")[
        : MAX_LISTED + 1
    ]
    match list(by_name):
        case [application]:
            return application
        case []:
            raise UnknownApplication(f"No application has the token or name {token_or_name}.")
        case many:
            tokens = ", ".join(application.token for application in many[:MAX_LISTED])
            others = " and others" if len(many) > MAX_LISTED else ""
            raise UnknownApplication(
                f"Several applications have the name {token_or_name}. "
                f"Use one of their tokens: {tokens}{others}."
            )


def count_messages(application: Application) -> int:
    """The approximate number of messages."""
    total = CHATS.rows(application.key).aggregate(total=Sum("messages_count"))["total"]
    return int(total or 0)


def steps_of(application: Application) -> Iterator[list[str]]:
    """The lines with their newlines, by chat and message number, a few hundred at a time.

    Counts are those of the rows there are, also where the next count job has yet to correct one.
    """
    columns = ("chat_number", "message_number", *MESSAGES.field_names, *_HISTORY)
    messages = Message.objects.filter(application_token=application.token).order_by(
        "chat_number", "message_number"
    )
    chats_count = count_children(CHATS, [application]).get(application.key, 0)
    yield [ApplicationLine(application.name, chats_count, _history(application)).as_line()]
    for chats in _chats(application):
        counts = count_children(MESSAGES, chats)
        lines = deque(_chat_line(chat, counts.get(chat.key, 0)) for chat in chats)
        purged = {chat.chat_number: chat.purged_through for chat in chats}
        for some in _ranges(chats):
            yield list(_in_order(lines, purged, messages.filter(some).values(*columns)))
        yield [line.as_line() for line in lines]


def _in_order(
    chats: deque[ChatLine], purged: Mapping[int, int], rows: Iterable[Mapping[str, Any]]
) -> Iterator[str]:
    """The lines of these messages, each chat's own line before them; takes those from `chats`."""
    for row in rows:
        while chats and chats[0].chat_number <= row["chat_number"]:
            yield chats.popleft().as_line()
        # A message can be stored before its chat; the API does not show it until then either. An
        # interrupted purge leaves messages that are not shown any more.
        if row["message_number"] > purged.get(row["chat_number"], MAX_INTEGER):
            yield _message_line(row).as_line()


def _chat_line(chat: Chat, messages_count: int) -> ChatLine:
    return ChatLine(
        chat_number=chat.chat_number,
        values={name: getattr(chat, name) for name in CHATS.field_names},
        messages_count=messages_count,
        purged_through=chat.purged_through,
        history=_history(chat),
    )


def _message_line(row: Mapping[str, Any]) -> MessageLine:
    return MessageLine(
        chat_number=row["chat_number"],
        message_number=row["message_number"],
        values={name: row[name] for name in MESSAGES.field_names},
        erased_at=row["erased_at"],
        history=History(row["created_at"], row["updated_at"], row["version"]),
    )


def _history(row: StoredRecord) -> History:
    return History(row.created_at, row.updated_at, row.version)


def _chats(application: Application) -> Iterator[list[Chat]]:
    chats = CHATS.rows(application.key).order_by("chat_number")
    ceiling = application.number_ceiling
    for numbers in parent_rows.number_ranges((application.token,), STEP, through=ceiling):
        yield list(chats.filter(chat_number__range=(numbers[0], numbers[-1])))


def _ranges(chats: Iterable[Chat]) -> Iterator[Q]:
    """Conditions for at most STEP messages each: part of one chat, or several whole chats."""
    together: list[int] = []
    expected = 0
    for chat in chats:
        bound = _max_messages(chat)
        expected += bound
        if together and expected > STEP:
            yield _whole(together)
            together, expected = [], bound
        if bound > STEP:
            yield from _parts(chat)
            expected = 0
        else:
            together.append(chat.chat_number)
    if together:
        yield _whole(together)


def _max_messages(chat: Chat) -> int:
    """An upper bound of the stored messages; the number ceiling may lie far above them."""
    numbers = chat.number_ceiling - chat.purged_through
    return numbers if numbers <= STEP else parent_rows.number_spread(chat.key)


def _parts(chat: Chat) -> Iterator[Q]:
    ceiling = chat.number_ceiling
    for numbers in parent_rows.number_ranges(
        chat.key, STEP, after=chat.purged_through, through=ceiling
    ):
        yield Q(chat_number=chat.chat_number, message_number__range=(numbers[0], numbers[-1]))


def _whole(chat_numbers: Sequence[int]) -> Q:
    return Q(chat_number__range=(chat_numbers[0], chat_numbers[-1]))
