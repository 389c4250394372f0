"""What may be told of an error: where it arose, of what kind it is, and only sometimes its text.

The text of an error may quote what a client sent: a database's, the value that does not fit; a
parser's, what it stumbled over. So only those are quoted that speak of services, or are our own.
"""

from collections.abc import Iterator
from itertools import islice
from traceback import format_tb

import redis
from amqp.exceptions import AMQPError
from django.db import InterfaceError, OperationalError

from core.service_errors import blames_row

_OF_SERVICES = (OSError, InterfaceError, redis.RedisError, AMQPError)
_OURS = ("applications.", "chats.", "chatsystem.", "core.", "messages_app.", "search.")
_CHAIN = 5


def told(error: BaseException) -> str:
    """The error in a line: its kind, and its text where that quotes nobody."""
    kind = type(error).__name__
    return f"{kind}: {error}" if _may_be_quoted(error) else kind


def traceback_of(error: BaseException) -> str:
    """The places that the error came through, and those of the errors that led to it."""
    parts = [
        "".join(format_tb(one.__traceback__)) + told(one) for one in islice(_chain(error), _CHAIN)
    ]
    return "\n\nled to\n\n".join(reversed(parts))


def _may_be_quoted(error: BaseException) -> bool:
    if isinstance(error, OperationalError):
        return not blames_row(error)
    if isinstance(error, ValueError):
        return False
    return isinstance(error, _OF_SERVICES) or type(error).__module__.startswith(_OURS)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
