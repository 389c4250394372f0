"""Updates the index from the backlog: reads the oldest entries and writes their current rows.

Entries leave the backlog only after all their messages are in every index that takes changes.
A document that Elasticsearch rejects becomes a dead letter; its replay indexes the message again,
with the row as it is then.
"""

from collections.abc import Sequence
from enum import Enum, auto
from uuid import NAMESPACE_OID, uuid5

from infra.natural_keys import in_pieces
from infra.rabbitmq.queues import SEARCH
from ingest.dead_letters.set_aside import Letter, keep
from ingest.models import DeadLetter
from ingest.records import Key
from messages_app.models import Message
from messages_app.records import MESSAGES
from search import backlog
from search.errors import NoIndex
from search.index.bulk_writing import Change, Rejected, write
from search.index.documents import contents
from search.index.layout import Target, document_name, layout

DEAD_LETTER_KIND = "search"


class Workload(Enum):
    """The amount of work that a batch had; after MUCH the backlog may hold more."""

    NONE = auto()
    LITTLE = auto()
    MUCH = auto()


def index_batch() -> Workload:
    """Index the messages of the oldest entries of the backlog.

    Raises IndexUnusable, OperationalError.
    """
    entries = backlog.oldest()
    if entries is None:
        return Workload.NONE
    # Read the layout after the entries: an index created later is filled from a table that already
    # has the changes of these entries.
    targets = layout().targets
    if not targets:
        raise NoIndex("there is no index yet")
    write_changes(_changes(entries.keys), targets)
    backlog.remove(entries)
    backlog.INDEXED.inc(len(entries.keys))
    return Workload.LITTLE if entries.are_all else Workload.MUCH


def write_changes(changes: Sequence[Change], targets: Sequence[Target]) -> None:
    """Apply these changes; rejected ones become dead letters. Raises IndexUnusable."""
    for rejected in write(changes, targets):
        _set_aside(rejected)


def index_again(letter: DeadLetter) -> None:
    """Replay a dead letter: add its message to the backlog, in the caller's transaction."""
    backlog.record([tuple(letter.key)])


def _changes(keys: Sequence[Key]) -> list[Change]:
    """The changes that bring the documents of these messages up to date with the table."""
    rows = {
        row.key: row
        for wanted in in_pieces(MESSAGES.key_fields, keys)
        for row in contents(Message.objects.filter(wanted))
    }
    return [Change(key, rows.get(key)) for key in keys]


def _set_aside(rejected: Rejected) -> None:
    """Keep key and reason as a dead letter, once for each version. The row stays in its table."""
    key, version = rejected.change.key, rejected.change.version
    letter = Letter(
        kind=DEAD_LETTER_KIND,
        queue=SEARCH,
        key=key,
        payload={"version": version},
        place=(key[:-1], int(key[-1])),
    )
    letter_id = uuid5(NAMESPACE_OID, f"{DEAD_LETTER_KIND} {document_name(key)} {version}")
    keep(letter_id, letter, rejected.reason)
