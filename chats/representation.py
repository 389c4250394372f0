"""A chat as the API shows it."""

from chats.models import Chat
from core.http.renderers import timestamp


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
