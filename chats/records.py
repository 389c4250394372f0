"""A new chat on its way in."""

from dataclasses import dataclass

from applications.errors import ApplicationNotFound
from applications.models import Application
from chats.models import Chat
from ingest.records import Key, NewRow, RecordType

CHATS = RecordType(
    name="chats",
    model=Chat,
    parent=Application,
    parent_fields=("token",),
    key_fields=("application_token", "chat_number"),
    own_fields=("name",),
    parent_missing=ApplicationNotFound,
)


@dataclass(frozen=True)
class NewChat(NewRow):
    """A chat that asks its application for the next number."""

    kind = CHATS

    application_token: str
    name: str

    @property
    def parent(self) -> Key:
        """The application."""
        return (self.application_token,)

    @property
    def values(self) -> tuple[str, ...]:
        """The name."""
        return (self.name,)
