"""Whether there is a chat to search, also while the database cannot say."""

from django.conf import settings
from django.db import InterfaceError, OperationalError

from chats.selectors import require_chat
from core.database import breaker
from core.errors import Unavailable
from search.errors import IndexUnusable


class SearchAway(Unavailable):
    """Neither the index nor the database can be asked now."""

    def __init__(self) -> None:
        super().__init__("Search is away.", retry_after=2)


def require_searchable(*, application_token: str, chat_number: int) -> None:
    """Raises ChatNotFound when the application has no such chat, or Unavailable.

    While the database is away, a chat of which the index has a message is known to be there.
    """
    database = breaker()
    if not database.is_open:
        try:
            require_chat(application_token=application_token, chat_number=chat_number)
        except (OperationalError, InterfaceError) as error:
            database.open(error)
        else:
            return
    if not _is_indexed(application_token, chat_number):
        raise SearchAway


def _is_indexed(application_token: str, chat_number: int) -> bool:
    if not settings.ENVIRONMENT.elasticsearch_url:
        return False
    from search.index.querying import has_messages  # noqa: PLC0415 - see search.index

    try:
        return has_messages(application_token=application_token, chat_number=chat_number)
    except IndexUnusable:
        return False
