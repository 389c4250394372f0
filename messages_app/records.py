"""A new message on its way in."""

from dataclasses import dataclass

from chats.errors import ChatNotFound
from chats.models import Chat
from ingest.records import Key, NewRow, RecordType
from messages_app.models import Message

MESSAGES = RecordType(
    name="messages",
    model=Message,
    parent=Chat,
    parent_fields=("application_token", "chat_number"),
    key_fields=("application_token", "chat_number", "message_number"),
    own_fields=("body",),
    parent_missing=ChatNotFound,
)


@dataclass(frozen=True)
class NewMessage(NewRow):
    """A message that asks its chat for the next number."""

    kind = MESSAGES

    application_token: str
    chat_number: int
    body: str

    @property
    def parent(self) -> Key:
        """The chat."""
        return (self.application_token, self.chat_number)

    @property
    def values(self) -> tuple[str, ...]:
        """The body."""
        return (self.body,)
