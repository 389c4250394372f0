"""A message as the API shows it."""

from core.http.renderers import timestamp
from core.rows import NumberedRow
from messages_app.models import Message


def represent_message(message: Message) -> dict[str, object]:
    """The fields of the contract, in its order."""
    return {
        "message_number": message.message_number,
        "application_token": message.application_token,
        "chat_number": message.chat_number,
        "body": message.body,
        "created_at": timestamp(message.created_at),
        "updated_at": timestamp(message.updated_at),
    }


def represent_new_message(row: NumberedRow) -> dict[str, object]:
    """The same of one that was accepted just now."""
    token, chat_number, number = row.key
    [body] = row.values
    at = timestamp(row.accepted_at)
    return {
        "message_number": number,
        "application_token": token,
        "chat_number": chat_number,
        "body": body,
        "created_at": at,
        "updated_at": at,
    }
