"""A chat as the API shows it."""

from chats.models import Chat
from core.http.renderers import timestamp
from core.rows import NumberedRow


def represent_chat(chat: Chat) -> dict[str, object]:
    """The fields of the contract, in its order."""
    return {
        "chat_number": chat.chat_number,
        "application_token": chat.application_token,
        "name": chat.name,
        "messages_count": chat.messages_count,
        "created_at": timestamp(chat.created_at),
        "updated_at": timestamp(chat.updated_at),
    }


def represent_new_chat(row: NumberedRow) -> dict[str, object]:
    """The same of one that was accepted just now."""
    token, number = row.key
    [name] = row.values
    at = timestamp(row.accepted_at)
    return {
        "chat_number": number,
        "application_token": token,
        "name": name,
        "messages_count": 0,
        "created_at": at,
        "updated_at": at,
    }
