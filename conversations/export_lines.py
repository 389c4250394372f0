"""The lines of an export, chat by chat, in bounded memory.

Each step reads a range of the natural key with both bounds: with one bound, MariaDB may read all
rows from the first one, at each step. Where numbers are not dense the next stored one is looked up,
so the cost follows the number of rows. Messages written during the export may be missing.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence

from django.db.models import Q, Sum

from applications.models import Application
from chats.models import Chat
from chats.records import CHATS
from conversations.errors import UnknownApplication
from listing import parent_rows
from messages_app.models import Message

#: Characters that JSON permits but terminals obey, or readers take for the end of a line: DEL, C1
#: controls, line and paragraph separators, directional overrides. JSON has them only in strings.
_UNSAFE = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069]")

#: Messages in one step.
STEP = 500
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
    """The approximate number of lines."""
    total = CHATS.rows(application.key).aggregate(total=Sum("messages_count"))["total"]
    return int(total or 0)


def steps_of(application: Application) -> Iterator[list[str]]:
    """The lines with their newlines, by chat and message number, a few hundred at a time."""
    messages = Message.objects.filter(application_token=application.token).order_by(
        "chat_number", "message_number"
    )
    for chats in _chats(application):
        names = {chat.chat_number: chat.name for chat in chats}
        for some in _ranges(chats):
            rows = messages.filter(some).values_list("chat_number", "body")
            # A message can be stored before its chat; the API does not show it until then either.
            yield [
                _line(application.name, names[chat_number], body)
                for chat_number, body in rows
                if chat_number in names
            ]


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


def _line(application: str, chat: str, body: str) -> str:
    fields = {"application": application, "chat": chat, "body": body}
    line = json.dumps(fields, ensure_ascii=False)
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", line) + "\n"
