"""The record type of messages."""

from chats.models import Chat, ChatKey
from chats.records import ChatNotFound
from infra.errors import NotFound
from ingest.records import RecordType, TextField
from ingest.text_rules import MAX_BODY_BYTES, clean_body
from messages_app.models import Message, MessageKey


class MessageNotFound(NotFound):
    """The chat has no message of this number."""

    detail = "There is no such message."


BODY = TextField(
    name="body",
    clean=clean_body,
    most=MAX_BODY_BYTES,
    description="At most 16 KiB of UTF-8, kept as it is.",
)

MESSAGES = RecordType(
    name="messages",
    model=Message,
    key=MessageKey,
    missing=MessageNotFound,
    parent=Chat,
    parent_key=ChatKey,
    parent_missing=ChatNotFound,
    fields=(BODY,),
    count_field="messages_count",
)
