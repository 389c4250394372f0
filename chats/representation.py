"""A chat as the API shows it."""

from chats.models import Chat
from core.http.renderers import timestamp
from core.rows import Key, NumberedRow


def represent_chat(chat: Chat) -> dict[str, object]:
    """A stored one."""
    times = timestamp(chat.created_at), timestamp(chat.updated_at)
    return _shown(chat.key, chat.name, chat.messages_count, *times)


def represent_new_chat(row: NumberedRow) -> dict[str, object]:
    """One that was accepted just now."""
    [name] = row.values
    at = timestamp(row.accepted_at)
    return _shown(row.key, name, 0, at, at)


def _shown(
    key: Key, name: str, messages_count: int, created_at: str, updated_at: str
) -> dict[str, object]:
    """The fields of the contract, in its order."""
    token, number = key
    return {
        "chat_number": number,
        "application_token": token,
        "name": name,
        "messages_count": messages_count,
        "created_at": created_at,
        "updated_at": updated_at,
    }
