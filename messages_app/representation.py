"""A message as the API shows it."""

from core.http.renderers import timestamp
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
