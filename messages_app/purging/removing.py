"""Taking messages out, in short transactions, so that nobody waits long and any of them may fail.

The chat is marked first, and what lies at or below the mark is removed afterwards: see
core.accept.purged for why in this order. Killed in between, the next purge removes the rest.
"""

from collections.abc import Iterator, Sequence
from functools import partial

from chats.selectors import chat_row
from core.changes import tell
from core.models import CountState
from core.transactions import in_transaction
from messages_app.accept import MESSAGES
from messages_app.purging.prefix import ROWS, ChatKey


def mark(chat: ChatKey, through: int) -> None:
    """From now on the messages up to this number are purged. Raises OperationalError."""
    rows = chat_row(*chat.key).filter(purged_through__lt=through)
    in_transaction(lambda: rows.update(purged_through=through))


def remove(chat: ChatKey, through: int) -> Iterator[int]:
    """Remove what is stored up to this number; how many messages, transaction by transaction.

    Raises OperationalError.
    """
    rows = chat.messages.filter(message_number__lte=through)
    while numbers := list(rows.values_list("message_number", flat=True)[:ROWS]):
        in_transaction(partial(_remove, chat, numbers))
        yield len(numbers)


def _remove(chat: ChatKey, numbers: Sequence[int]) -> None:
    # The chat first, as whoever numbers rows by the database does: so nobody waits in a circle.
    chat_row(*chat.key).update(count_state=CountState.CHANGED)
    chat.messages.filter(message_number__range=(numbers[0], numbers[-1])).order_by().delete()
    tell(MESSAGES, [(*chat.key, number) for number in numbers])
