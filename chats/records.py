"""The record type of chats."""

from applications.errors import ApplicationNotFound
from applications.models import Application, ApplicationKey
from chats.models import Chat, ChatKey
from ingest.records import NAME, RecordType

CHATS = RecordType(
    name="chats",
    model=Chat,
    key=ChatKey,
    parent=Application,
    parent_key=ApplicationKey,
    parent_missing=ApplicationNotFound,
    fields=(NAME,),
    count_field="chats_count",
    child_count_field="messages_count",
)
