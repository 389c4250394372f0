"""Mending what a check has found, by the ordinary way: the backlog."""

from collections.abc import Sequence
from functools import partial

from core.rows import Key
from core.transactions import in_transaction
from search import backlog
from search.checking import Difference, Kind
from search.indexing import Work, work_off_some


def repair(differences: Sequence[Difference]) -> None:
    """Index these messages anew, whether a search worker runs or not.

    A document that is newer than its row stays: versions cannot go back, so that takes a rebuild.
    Raises IndexUnusable.
    """
    keys = [one.key for one in differences if one.kind is not Kind.NEWER]
    for start in range(0, len(keys), backlog.MAX_KEYS):
        _record(keys[start : start + backlog.MAX_KEYS])
    while work_off_some() is not Work.NONE:
        pass


def _record(keys: Sequence[Key]) -> None:
    in_transaction(partial(backlog.record, keys))
