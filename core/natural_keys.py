"""Finding many rows by their natural keys in one query."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import Q


def with_keys(fields: Sequence[str], keys: Iterable[Sequence[Any]]) -> Q:
    """The rows with one of these keys, along an index of these fields; empty without keys.

    All but the last part of a key are shared by many: those are named once.
    """
    lasts_by_prefix: defaultdict[tuple[Any, ...], list[Any]] = defaultdict(list)
    for *prefix, last in keys:
        lasts_by_prefix[tuple(prefix)].append(last)
    *prefix_fields, last_field = fields
    wanted = Q()
    for shared, lasts in lasts_by_prefix.items():
        of_prefix = dict(zip(prefix_fields, shared, strict=True))
        wanted |= Q(**of_prefix, **{f"{last_field}__in": lasts})
    return wanted
