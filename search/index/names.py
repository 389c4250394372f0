"""What chats and documents are called in the index."""

from core.rows import Key


def name_of(key: Key) -> str:
    """A natural key as one word: of a message its document's id, of a chat its routing."""
    return "/".join(map(str, key))
