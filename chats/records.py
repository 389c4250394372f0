"""The record type of chats."""

from applications.errors import ApplicationNotFound
from applications.models import Application, ApplicationKey
from chats.models import Chat, ChatKey
from ingest.records import RecordType, TextField
from ingest.text_rules import MAX_NAME_CHARACTERS, clean_name

NAME = TextField(
    name="name",
    clean=clean_name,
    most=MAX_NAME_CHARACTERS,
    description="Space around it is taken off; something of it must be visible.",
)

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
