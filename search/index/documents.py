"""What the index holds of a message, and how its text is cut so that any part of it is found.

The text is folded here (ingest.text_rules.fold). Elasticsearch only cuts it into overlapping pieces
of one and of two characters. A query of one character is one such term; a longer one is a phrase
of consecutive pairs, which matches exactly where the text contains it.
(How this compares with other ways: docs/search.md.)

What is shown of a hit comes from the document too, so that search works while the database does
not; the folded text is not kept but in its terms.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import QuerySet
from django_elasticsearch_dsl import Document, fields
from django_elasticsearch_dsl.registries import registry
from elasticsearch.dsl import MetaField, analyzer, tokenizer

from ingest.records import Key, timestamp
from ingest.text_rules import fold
from messages_app.models import Message
from search.index.layout import document_name

REFRESH_INTERVAL = "1s"


def _pieces(length: int) -> Any:
    name = f"pieces_of_{length}"
    return analyzer(name, tokenizer=tokenizer(name, "ngram", min_gram=length, max_gram=length))


@registry.register_document
class MessageDocument(Document):  # type: ignore[misc] # it has no types
    """One message. `chat` is the chat's name, to which searches and routing keep."""

    chat = fields.KeywordField()
    application_token = fields.KeywordField()
    chat_number = fields.LongField(index=False)
    message_number = fields.LongField()
    body = fields.KeywordField(index=False, doc_values=False)
    created_at = fields.KeywordField(index=False, doc_values=False)
    updated_at = fields.KeywordField(index=False, doc_values=False)
    text = fields.TextField(
        analyzer=_pieces(2),
        norms=False,
        fields={
            "character": fields.TextField(analyzer=_pieces(1), norms=False, index_options="docs")
        },
    )

    class Index:
        settings = {
            "auto_expand_replicas": "0-1",
            "refresh_interval": REFRESH_INTERVAL,
            # A chat's messages lie together, newest first, as they are asked for.
            "sort.field": ["chat", "message_number"],
            "sort.order": ["asc", "desc"],
            # A version that is on its way may not bring a removed message back.
            "gc_deletes": "1h",
        }

    class Django:
        model = Message
        ignore_signals = True
        auto_refresh = False

    class Meta:
        dynamic = MetaField("strict")
        source = MetaField(excludes=["text"])


class Content(NamedTuple):
    """What the table says of a message, as far as its document needs it.

    `id` is for who reads the table in that order.
    """

    id: int
    application_token: str
    chat_number: int
    message_number: int
    body: str
    created_at: datetime
    updated_at: datetime
    version: int

    @property
    def key(self) -> Key:
        """The natural key."""
        return (self.application_token, self.chat_number, self.message_number)


def contents(messages: QuerySet[Message]) -> Iterator[Content]:
    """Of each of these messages; to make a model of it would take as long as all the rest."""
    return map(Content._make, messages.values_list(*Content._fields))


def document(message: Content) -> dict[str, Any]:
    """What the index holds of this message: all fields of the above, and no other."""
    return {
        "chat": document_name((message.application_token, message.chat_number)),
        "application_token": message.application_token,
        "chat_number": message.chat_number,
        "message_number": message.message_number,
        "body": message.body,
        "created_at": timestamp(message.created_at),
        "updated_at": timestamp(message.updated_at),
        "text": fold(message.body),
    }
