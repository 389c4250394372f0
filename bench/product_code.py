"""The product's own code where a measurement needs it; everything else goes over HTTP or SQL.

Needs Django to be set up with the product's settings.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from typing import NamedTuple

from django.conf import settings

from applications import authentication
from bench import BenchError
from chats.models import ChatKey
from infra.jobs import JobIsRunning
from infra.rabbitmq.publisher import publisher
from infra.redis_client import shards
from infra.versions import FIRST_VERSION
from ingest.message_format import write_message
from ingest.post_commit import Finished, clear_pending
from ingest.read_your_writes import Window
from messages_app.models import Message as Row
from messages_app.records import MESSAGES
from operations import counts
from search.index import lifecycle
from search.index.bulk_writing import Change
from search.index.bulk_writing import write as write_changes
from search.index.client import patient_client
from search.index.documents import Content, contents
from search.index.layout import Target, layout, pattern
from search.index.queries import ChatHits
from search.service import Criteria

_WRITTEN_AT_ONCE = 1000
_LONG_SECONDS = 600


class Message(NamedTuple):
    """A message and its place."""

    token: str
    chat: int
    number: int
    body: str


def publish_rows(token: str, chat_number: int, first_number: int, bodies: Sequence[str]) -> None:
    """Queue one task that stores these messages, numbered on from the first."""
    rows = [
        MESSAGES.new(ChatKey(token, chat_number), body=body).numbered(number)
        for number, body in enumerate(bodies, start=first_number)
    ]
    publisher().publish(rows[0].record_type.name, *write_message(rows))


def flag_counts(token: str, chat_numbers: Sequence[int]) -> None:
    """Flag the counts of these chats in Redis, as a worker does for messages it has stored."""
    parents = [(token, number) for number in chat_numbers]
    clear_pending(shards()[0], [Finished(MESSAGES, [], {MESSAGES: parents})], by_worker=False)


def reconcile_counts() -> None:
    """Run the count job. Raises BenchError when another run is under way."""
    try:
        counts.reconcile()
    except JobIsRunning as error:
        raise BenchError(f"{error.detail} Try again") from None


def is_index_complete() -> bool:
    """Whether the product's search index is live and none is being built."""
    found = layout()
    return found.live is not None and found.build is None


def new_key() -> tuple[str, str]:
    """A key of an application, and its hash, which the table has."""
    key = authentication.new_key()
    return key, authentication.hash_of(key)


def index_rows(tokens: Sequence[str]) -> None:
    """Write the documents of all messages of these applications, and make them searchable."""
    found = layout()
    _write_documents(contents(Row.objects.filter(application_token__in=tokens)), found.targets)
    patient_client().indices.refresh(index=found.live)


def unindex_rows(tokens: Sequence[str]) -> None:
    """Remove the documents of all messages of these applications."""
    patient_client().options(request_timeout=_LONG_SECONDS).delete_by_query(
        index=pattern(),
        query={"terms": {"application_token": list(tokens)}},
        conflicts="proceed",
        refresh=True,
    )


def _write_documents(rows: Iterable[Content], targets: Sequence[Target]) -> None:
    """Write a document for each row. Raises BenchError when one is rejected."""
    left = iter(rows)
    while some := list(islice(left, _WRITTEN_AT_ONCE)):
        if write_changes([Change(row.key, row) for row in some], targets):
            raise BenchError("Elasticsearch rejected documents")


@contextmanager
def _index_named(name: str) -> Iterator[None]:
    """Let the product's code use the index of this name."""
    before = settings.ENVIRONMENT
    settings.ENVIRONMENT = before.model_copy(update={"elasticsearch_index": name})
    try:
        yield
    finally:
        settings.ENVIRONMENT = before


def fill_index(name: str, messages: Iterable[Message]) -> tuple[float, int]:
    """Make an index of this name with these messages.

    Returns the seconds that writing them took, and the bytes of the index after a merge.
    """
    with _index_named(name):
        index = f"{name}-1"
        lifecycle.create(index)
        before = time.perf_counter()
        _write_documents(map(_content, messages), layout().targets)
        seconds = time.perf_counter() - before
        lifecycle.make_live(index)
        client = patient_client().options(request_timeout=_LONG_SECONDS)
        client.indices.forcemerge(index=index, max_num_segments=1)
        client.indices.refresh(index=index)
        store = client.indices.stats(index=index, metric="store")["_all"]["total"]["store"]
        return seconds, int(store["size_in_bytes"])


def _content(message: Message) -> Content:
    now = datetime.now(UTC)
    return Content(0, *message, None, None, now, now, FIRST_VERSION)


def search_index(name: str, message: Message, text: str, limit: int) -> list[int]:
    """Numbers of the newest hits in the chat of this message."""
    with _index_named(name):
        hits = ChatHits(Criteria((message.token, message.chat), text))
        return [hit.message_number for hit in hits.items(Window(limit=limit, descending=True))]


def remove_indexes(name: str) -> None:
    """Remove the indexes of this name."""
    with _index_named(name):
        for index in patient_client().indices.get(index=pattern()):
            lifecycle.remove(index)
