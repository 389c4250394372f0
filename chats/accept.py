"""A new chat on its way in."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from applications.models import Application
from chats.models import Chat
from core.accept.rows import NewRow, ParentKey
from core.errors import ApplicationNotFound


@dataclass(frozen=True)
class NewChat(NewRow):
    """A chat that asks its application for the next number."""

    application_token: str
    name: str

    @staticmethod
    def parent_missing() -> ApplicationNotFound:
        """An error of its own for each row: it is raised in the thread of its request."""
        return ApplicationNotFound()

    @property
    def parent_key(self) -> ParentKey:
        """Of the application."""
        return (Application._meta.db_table, self.application_token, 0)

    @property
    def size(self) -> int:
        """A name is at most 255 characters of at most four bytes."""
        return 4 * len(self.name)

    def parent(self) -> "QuerySet[Application]":
        """The application."""
        return Application.objects.filter(token=self.application_token)

    def numbered(self, number: int, accepted_at: datetime) -> Chat:
        """The chat."""
        return Chat(
            application_token=self.application_token,
            chat_number=number,
            name=self.name,
            created_at=accepted_at,
            updated_at=accepted_at,
        )
