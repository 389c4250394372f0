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
        tell(MESSAGES, [(*chat.key, number) for number in numbers])
