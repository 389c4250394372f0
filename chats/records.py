"""The record type of chats."""

from applications.models import Application, ApplicationKey, ApplicationNotFound
from chats.models import Chat, ChatKey
from infra.errors import NotFound
from ingest.fields import METADATA, NAME
from ingest.records import RecordType


class ChatNotFound(NotFound):
    """The application has no chat of this number."""

    detail = "There is no such chat."


CHATS = RecordType(
    name="chats",
    model=Chat,
    key=ChatKey,
    missing=ChatNotFound,
    parent=Application,
    parent_key=ApplicationKey,
    parent_missing=ApplicationNotFound,
    fields=(NAME, METADATA),
    count_field="chats_count",
    child_count_field="messages_count",
)
