"""The conversations of an application as lines, chat by chat, in bounded memory.

Each step is a range of the natural key with both its ends: with only one end MariaDB reads all from
the first row on, time and again. Numbers are dense, and where they are not the next stored one is
looked up, so the cost follows the rows. What is written meanwhile may be missing.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence

from django.db.models import Q, Sum

from applications.models import Application
from chats.models import Chat
from chats.selectors import chats_of
from infra.errors import DomainError
from listing import stored_rows
from messages_app.models import Message

#: What JSON lets through and a terminal obeys, or a reader takes for the end of a line: DEL, C1,
#: separators of lines and paragraphs, overrides of direction. In JSON all of it is within texts.
_ACTS = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069]")

STEP = 500
LISTED = 50


class NoSuchApplication(DomainError):
    """Nothing has this token or name, or too many have this name."""


def find_application(token_or_name: str) -> Application:
    """The application of this token, else the only one of this name. Raises NoSuchApplication."""
    by_token = Application.objects.filter(token=token_or_name).first()
    if by_token:
        return by_token
    by_name = Application.objects.filter(name=token_or_name.strip()).order_by("pk")[: LISTED + 1]
    match list(by_name):
        case [application]:
            return application
        case []:
            raise NoSuchApplication(f"No application has the token or the name {token_or_name}.")
        case many:
            tokens = ", ".join(application.token for application in many[:LISTED])
            others = " and others" if len(many) > LISTED else ""
            raise NoSuchApplication(
                f"Several applications have the name {token_or_name}; "
                f"name one of them by its token: {tokens}{others}."
            )


def count_messages(application: Application) -> int:
    """About how many lines there will be."""
    chats = chats_of(application_token=application.token)
    return chats.aggregate(total=Sum("messages_count"))["total"] or 0


def steps_of(application: Application) -> Iterator[list[str]]:
    """The lines with their ends, chats and messages by number, a few hundred at a time."""
    messages = Message.objects.filter(application_token=application.token).order_by(
        "chat_number", "message_number"
    )
    for chats in _chats(application):
        names = {chat.chat_number: chat.name for chat in chats}
        for some in _ranges(chats):
            rows = messages.filter(some).values_list("chat_number", "body")
            # A message may be stored before its chat; until then nobody can see it.
            yield [
                _line(application.name, names[chat_number], body)
                for chat_number, body in rows
                if chat_number in names
            ]


def _chats(application: Application) -> Iterator[list[Chat]]:
    chats = chats_of(application_token=application.token).order_by("chat_number")
    ceiling = application.number_ceiling
    for numbers in stored_rows.number_ranges((application.token,), STEP, through=ceiling):
        yield list(chats.filter(chat_number__range=(numbers[0], numbers[-1])))


def _ranges(chats: Iterable[Chat]) -> Iterator[Q]:
    """Conditions for at most STEP messages each: a part of a chat, or several chats whole."""
    together: list[int] = []
    expected = 0
    for chat in chats:
        most = _most(chat)
        expected += most
        if together and expected > STEP:
            yield _whole(together)
            together, expected = [], most
        if most > STEP:
            yield from _parts(chat)
            expected = 0
        else:
            together.append(chat.chat_number)
    if together:
        yield _whole(together)


def _most(chat: Chat) -> int:
    """At most so many messages are stored; a ceiling may have been raised far above them."""
    numbers = chat.number_ceiling - chat.purged_through
    return numbers if numbers <= STEP else stored_rows.number_spread(chat.key)


def _parts(chat: Chat) -> Iterator[Q]:
    ceiling = chat.number_ceiling
    for numbers in stored_rows.number_ranges(
        chat.key, STEP, after=chat.purged_through, through=ceiling
    ):
        yield Q(chat_number=chat.chat_number, message_number__range=(numbers[0], numbers[-1]))


def _whole(chat_numbers: Sequence[int]) -> Q:
    return Q(chat_number__range=(chat_numbers[0], chat_numbers[-1]))


def _line(application: str, chat: str, body: str) -> str:
    said = {"application": application, "chat": chat, "body": body}
    line = json.dumps(said, ensure_ascii=False)
    return _ACTS.sub(lambda found: f"\\u{ord(found[0]):04x}", line) + "\n"
