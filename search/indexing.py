"""Bringing the index in step with the table: read the backlog, write the documents anew.

Entries leave the backlog only after everything they name is in every index that takes changes.
Documents that Elasticsearch rejects become dead letters; a replay indexes the message again as it
is by then.
"""

from collections.abc import Sequence
from enum import Enum, auto
from uuid import NAMESPACE_OID, uuid5

from infra.metrics import INDEXED
from infra.natural_keys import in_pieces
from infra.rabbitmq.queues import SEARCH
from ingest.dead_letters.models import DeadLetter
from ingest.dead_letters.set_aside import Letter, keep
from ingest.records import Key
from messages_app.models import Message
from messages_app.records import MESSAGES
from search import backlog
from search.backlog import record
from search.errors import NoIndex
from search.index.documents import contents
from search.index.layout import Target, document_name, layout
from search.index.writing import Change, Rejected, write

DEAD_LETTER_KIND = "search"


def set_document_aside(refused: Rejected) -> None:
    """Keep the key and the reason, once for each version. The row itself is in its table."""
    key, version = refused.change.key, refused.change.version
    letter = Letter(
        kind=DEAD_LETTER_KIND,
        queue=SEARCH,
        key=key,
        payload={"version": version},
        place=(key[:-1], int(key[-1])),
    )
    keep(
        uuid5(NAMESPACE_OID, f"{DEAD_LETTER_KIND} {document_name(key)} {version}"),
        letter,
        refused.reason,
    )


def index_again(letter: DeadLetter) -> None:
    """In the caller's transaction."""
    record([tuple(letter.key)])


class Workload(Enum):
    """How much there was to do; after MUCH some may be left."""

    NONE = auto()
    LITTLE = auto()
    MUCH = auto()


def index_some() -> Workload:
    """Index what the oldest entries of the backlog name.

    Raises IndexUnusable, OperationalError.
    """
    entries = backlog.oldest()
    if entries is None:
        return Workload.NONE
    # After the entries: an index whose build begins later than this is filled from a table that
    # has all that they name.
    targets = layout().targets
    if not targets:
        raise NoIndex("there is no index yet")
    write_rows(_changes(entries.keys), targets)
    backlog.remove(entries)
    INDEXED.inc(len(entries.keys))
    return Workload.LITTLE if entries.are_all else Workload.MUCH


def write_rows(changes: Sequence[Change], targets: Sequence[Target]) -> None:
    """Make these changes, and set aside what is refused. Raises IndexUnusable."""
    for refused in write(changes, targets):
        set_document_aside(refused)


def _changes(keys: Sequence[Key]) -> list[Change]:
    """What the table says now of these messages."""
    rows = {
        row.key: row
        for wanted in in_pieces(MESSAGES.key_fields, keys)
        for row in contents(Message.objects.filter(wanted))
    }
    return [Change(key, rows.get(key)) for key in keys]
