"""The record type of messages."""

from chats.models import Chat, ChatKey
from chats.records import ChatNotFound
from infra.errors import NotFound
from ingest.fields import (
    MAX_BODY_BYTES,
    MAX_NAME_CHARACTERS,
    METADATA,
    NAME_PATTERN,
    Field,
    clean_body,
    clean_name,
)
from ingest.records import RecordType
from messages_app.models import Message, MessageKey


class MessageNotFound(NotFound):
    """The chat has no message of this number."""

    detail = "There is no such message."


BODY = Field(
    name="body",
    clean=clean_body,
    most=MAX_BODY_BYTES,
    description="At most 16 KiB of UTF-8, kept as it is.",
)
#: Whoever wrote a message, as the client system names them.
SENDER = Field(
    name="sender",
    clean=clean_name,
    most=MAX_NAME_CHARACTERS,
    description="Who wrote it. Surrounding white space is removed.",
    pattern=NAME_PATTERN,
    is_required=False,
)

MESSAGES = RecordType(
    name="messages",
    model=Message,
    key=MessageKey,
    missing=MessageNotFound,
    parent=Chat,
    parent_key=ChatKey,
    parent_missing=ChatNotFound,
    fields=(BODY, SENDER, METADATA),
    count_field="messages_count",
    is_erasable=True,
)
