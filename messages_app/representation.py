"""A message as the API shows it."""

from core.http.renderers import timestamp
from core.rows import Key, NumberedRow
from messages_app.accept import MESSAGES
from messages_app.models import Message


def represent_message(message: Message) -> dict[str, object]:
    """A stored one."""
    times = timestamp(message.created_at), timestamp(message.updated_at)
    return _shown(MESSAGES.key_of(message), message.body, *times)


def represent_new_message(row: NumberedRow) -> dict[str, object]:
    """One that was accepted just now."""
    [body] = row.values
    at = timestamp(row.accepted_at)
    return _shown(row.key, body, at, at)


def _shown(key: Key, body: str, created_at: str, updated_at: str) -> dict[str, object]:
    """The fields of the contract, in its order."""
    token, chat_number, number = key
    return {
        "message_number": number,
        "application_token": token,
        "chat_number": chat_number,
        "body": body,
        "created_at": created_at,
        "updated_at": updated_at,
    }
