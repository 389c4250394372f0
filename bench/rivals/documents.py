"""The index of a design that searches, as the guide of django-elasticsearch-dsl has it.

Its authors want any part of a body found. So the text is analysed into lower-case trigrams, and a
query is a phrase of them: that finds texts of three characters and more. A wildcard query, the
other stock way, reads all terms of the index and would be slower. The library refreshes the index
with each write unless it is told not to; here it is told, which is much faster.
"""

import os

from django.db.models import QuerySet
from django_elasticsearch_dsl import Document, fields
from django_elasticsearch_dsl.registries import registry
from elasticsearch.dsl import analyzer, tokenizer

from bench.rivals.models import StoredMessage

_trigrams = analyzer(
    "trigrams",
    tokenizer=tokenizer("trigrams", "ngram", min_gram=3, max_gram=3),
    filter=["lowercase"],
)


@registry.register_document
class MessageDocument(Document):  # type: ignore[misc] # it has no types
    """One message of any of the models."""

    application_token = fields.KeywordField()
    chat_number = fields.LongField()
    message_number = fields.LongField()
    body = fields.TextField(analyzer=_trigrams)
    created_at = fields.DateField()
    updated_at = fields.DateField()

    class Index:
        name = f"bench_{os.environ['BENCH_RIVAL']}"
        settings = {"number_of_shards": 1, "number_of_replicas": 0}

    class Django:
        model = StoredMessage
        ignore_signals = True
        auto_refresh = False
        queryset_pagination = 1000

    def get_queryset(self) -> QuerySet[StoredMessage]:
        """The rows with which `search_index --rebuild` fills the index: those that are read."""
        tokens = os.environ["BENCH_TOKENS"].split()
        return StoredMessage._default_manager.filter(application_token__in=tokens)
