"""Ceilings raised above every number that is still known to have been given or lent.

A restored ceiling is that of the backup, and whoever was given a higher number since may still have
it: in Redis's block, among the rows that were queued, set aside or pending, or as a chat of which
only messages are left.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from django.db.models import Max

from core.accept.models import DeadLetter
from core.natural_keys import in_pieces
from core.redis.client import is_configured
from core.redis.inspection import numbered
from core.redis.keys import parent_name
from core.rows import Key, Kind, kinds
from core.transactions import in_transaction

PARENTS = 200
#: Older than any, so that whoever gives the next number records the skip.
_NO_EPOCH = 0

Highest = dict[Key, int]


def raise_ceilings(skip: int, notice: Callable[[int], object]) -> int:
    """Raise each ceiling above what is known, and by `skip` more; how many were raised.

    `notice` is told how many parents were passed. Raises NoRedis where there is one and it does
    not answer: nobody else knows what it has lent.
    """
    raised = 0
    for kind in kinds().values():
        last = 0
        while page := _page(kind, last):
            last = page[-1]
            raised += in_transaction(partial(_raise, kind, page, skip))
            notice(len(page))
    return raised


def _page(kind: Kind, last: int) -> list[int]:
    rows = kind.parent._default_manager.filter(pk__gt=last).order_by("pk")
    return list(rows.values_list("pk", flat=True)[:PARENTS])


def _raise(kind: Kind, page: Sequence[int], skip: int) -> int:
    locked = kind.parent._default_manager.select_for_update().filter(pk__in=page)
    parents = list(locked.order_by("pk"))
    known = _known(kind, [parent.key for parent in parents])
    raised = [one for one in parents if skip or known[one.key] > one.number_ceiling]
    for parent in raised:
        parent.number_ceiling = max(parent.number_ceiling, known[parent.key]) + skip
        if parent.lease_epoch is None:
            parent.lease_epoch = _NO_EPOCH
    kind.parent._default_manager.bulk_update(raised, ["number_ceiling", "lease_epoch"])
    return len(raised)


def _known(kind: Kind, parents: Sequence[Key]) -> Mapping[Key, int]:
    """The highest number of each of these that is found anywhere."""
    found: defaultdict[Key, int] = defaultdict(int)
    sources = [*_stored(kind, parents), _set_aside(kind, parents), _in_redis(parents)]
    for source in sources:
        for key, number in source.items():
            found[key] = max(found[key], number)
    return found


def _stored(kind: Kind, parents: Sequence[Key]) -> list[Highest]:
    """By their children; and by their children's children, since a child itself may be lost."""
    return [
        _highest(one, kind.key_fields, parents)
        for one in kinds().values()
        if one.key_fields[: len(kind.key_fields)] == kind.key_fields
    ]


def _highest(rows: Kind, fields: Sequence[str], parents: Sequence[Key]) -> Highest:
    *shared, number = fields
    found: Highest = {}
    for wanted in in_pieces(shared, parents):
        groups = rows.model._default_manager.filter(wanted).order_by().values_list(*shared)
        found |= {tuple(key): top for *key, top in groups.annotate(Max(number))}
    return found


def _set_aside(kind: Kind, parents: Sequence[Key]) -> Highest:
    names = {parent_name(parent): parent for parent in parents}
    letters = DeadLetter.objects.filter(kind=kind.name, parent__in=names, number__isnull=False)
    groups = letters.order_by().values_list("parent").annotate(Max("number"))
    return {names[name]: top for name, top in groups}


def _in_redis(parents: Sequence[Key]) -> Highest:
    if not is_configured():
        return {}
    known = numbered([parent_name(parent) for parent in parents])
    return {
        parent: max(one.highest_pending, one.block.last)
        for parent, one in zip(parents, known, strict=True)
    }
