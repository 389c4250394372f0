"""The document of a message, and the analysis of its text that makes every part findable.

The text is folded here (search.fold_and_highlight.fold). Elasticsearch only splits it into single
characters and overlapping pairs. A query of one character is one such term; a longer one is a
phrase of consecutive pairs, which matches exactly where the text contains the query.
(docs/search.md compares this with other analyses.)

Hits are shown from the document, so that search works while the database is unavailable. The
folded text is excluded from the stored source; only its terms are kept.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import QuerySet
from django_elasticsearch_dsl import Document, fields
from django_elasticsearch_dsl.registries import registry
from elasticsearch.dsl import MetaField, analyzer, tokenizer

from ingest.records import Key, timestamp, to_microseconds
from messages_app.models import Message
from search.fold_and_highlight import fold
from search.index.layout import document_name

REFRESH_INTERVAL = "1s"


def _ngrams(length: int) -> Any:
    name = f"pieces_of_{length}"
    return analyzer(name, tokenizer=tokenizer(name, "ngram", min_gram=length, max_gram=length))


@registry.register_document
class MessageDocument(Document):  # type: ignore[misc] # it has no types
    """One message; search.fold_and_highlight.FORMAT counts the versions of this declaration.

    `chat` is the chat's key as one word, for filtering and routing. `created_us` is created_at in
    microseconds since 1970, because Elasticsearch's own times are shorter or end in 2262.
    """

    chat = fields.KeywordField()
    application_token = fields.KeywordField()
    chat_number = fields.LongField(index=False)
    message_number = fields.LongField()
    created_us = fields.LongField()
    sender = fields.KeywordField()
    metadata = fields.KeywordField(index=False, doc_values=False)
    body = fields.KeywordField(index=False, doc_values=False)
    created_at = fields.KeywordField(index=False, doc_values=False)
    updated_at = fields.KeywordField(index=False, doc_values=False)
    text = fields.TextField(
        analyzer=_ngrams(2),
        norms=False,
        fields={
            "character": fields.TextField(analyzer=_ngrams(1), norms=False, index_options="docs")
        },
    )

    class Index:
        settings = {
            "auto_expand_replicas": "0-1",
            "refresh_interval": REFRESH_INTERVAL,
            # The order of a search in an application, which ends when its page is full. A search in
            # a chat reads this chat alone (docs/search.md has figures of both orders).
            "sort.field": ["created_us"],
            "sort.order": ["desc"],
            # Deleted versions are remembered, so a late write cannot restore a removed message.
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
    """The columns of a message that its document needs.

    `id` is for reading the table in the order of ids.
    """

    id: int
    application_token: str
    chat_number: int
    message_number: int
    body: str
    sender: str | None
    metadata: str | None
    created_at: datetime
    updated_at: datetime
    version: int

    @property
    def key(self) -> Key:
        """The natural key."""
        return (self.application_token, self.chat_number, self.message_number)


def contents(messages: QuerySet[Message]) -> Iterator[Content]:
    """The content of each message. Building model instances would double the time of indexing."""
    return map(Content._make, messages.values_list(*Content._fields))


def document(message: Content) -> dict[str, Any]:
    """The document of this message: exactly the fields of MessageDocument."""
    return {
        "chat": document_name((message.application_token, message.chat_number)),
        "application_token": message.application_token,
        "chat_number": message.chat_number,
        "message_number": message.message_number,
        "created_us": to_microseconds(message.created_at),
        "sender": message.sender,
        "metadata": message.metadata,
        "body": message.body,
        "created_at": timestamp(message.created_at),
        "updated_at": timestamp(message.updated_at),
        "text": fold(message.body),
    }
