"""The one way in for new rows: this process's group commit."""

from typing import TypeVar

from django.db.models import Model

from core.accept import database
from core.accept.group import GroupCommit, OutcomeOpen, TurnedAway
from core.accept.rows import NewRow
from core.errors import Unavailable

Row = TypeVar("Row", bound=Model)

_group_commit: GroupCommit[NewRow, Model] = GroupCommit(database.store)


def accept(row: NewRow, model: type[Row]) -> Row:
    """The row with its number, stored. Raises its `parent_missing`, Unavailable."""
    try:
        accepted = _group_commit.submit(row, row.size)
    except TurnedAway as error:
        raise Unavailable(f"The service is too busy: {error}.") from error
    except OutcomeOpen as error:
        raise Unavailable(f"The outcome is open: {error}.") from error
    if not isinstance(accepted, model):
        raise TypeError(f"a {model.__name__} was to be accepted, not a {type(accepted).__name__}")
    return accepted
