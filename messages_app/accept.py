"""A new message on its way in."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from chats.models import Chat
from core.accept.rows import NewRow, ParentKey
from core.errors import ChatNotFound
from messages_app.models import Message


@dataclass(frozen=True)
class NewMessage(NewRow):
    """A message that asks its chat for the next number."""

    application_token: str
    chat_number: int
    body: str

    @staticmethod
    def parent_missing() -> ChatNotFound:
        """An error of its own for each row: it is raised in the thread of its request."""
        return ChatNotFound()

    @property
    def parent_key(self) -> ParentKey:
        """Of the chat."""
        return (Chat._meta.db_table, self.application_token, self.chat_number)

    @property
    def size(self) -> int:
        """At most four bytes a character."""
        return 4 * len(self.body)

    def parent(self) -> "QuerySet[Chat]":
        """The chat."""
        return Chat.objects.filter(
            application_token=self.application_token, chat_number=self.chat_number
        )

    def numbered(self, number: int, accepted_at: datetime) -> Message:
        """The message."""
        return Message(
            application_token=self.application_token,
            chat_number=self.chat_number,
            message_number=number,
            body=self.body,
            created_at=accepted_at,
            updated_at=accepted_at,
        )
