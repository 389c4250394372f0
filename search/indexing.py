"""Bringing the index in step with the table: what is in the backlog is read and written anew.

Entries are removed only after everything they name is in every index that takes changes.
"""

from collections.abc import Sequence
from enum import Enum, auto

from core.metrics import INDEXED
from core.natural_keys import in_pieces
from core.rows import Key
from messages_app.accept import MESSAGES
from messages_app.models import Message
from search import backlog
from search.errors import NoIndex
from search.index.documents import contents
from search.index.layout import Target, layout
from search.index.writing import Change, write
from search.refused import set_aside


class Work(Enum):
    """How much there was to do; after MUCH some may be left."""

    NONE = auto()
    LITTLE = auto()
    MUCH = auto()


def work_off_some() -> Work:
    """Index what the oldest entries of the backlog name.

    Raises IndexUnusable, OperationalError.
    """
    entries = backlog.oldest()
    if entries is None:
        return Work.NONE
    # After the entries: an index whose build begins later than this is filled from a table that
    # has all that they name.
    targets = layout().targets
    if not targets:
        raise NoIndex("there is no index yet")
    write_rows(_changes(entries.keys), targets)
    backlog.remove(entries)
    INDEXED.inc(len(entries.keys))
    return Work.LITTLE if entries.are_all else Work.MUCH


def write_rows(changes: Sequence[Change], targets: Sequence[Target]) -> None:
    """Make these changes, and set aside what is refused. Raises IndexUnusable."""
    for refused in write(changes, targets):
        set_aside(refused)


def _changes(keys: Sequence[Key]) -> list[Change]:
    """What the table says now of these messages."""
    rows = {
        row.key: row
        for wanted in in_pieces(MESSAGES.key_fields, keys)
        for row in contents(Message.objects.filter(wanted))
    }
    return [Change(key, rows.get(key)) for key in keys]
