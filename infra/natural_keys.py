"""Queries for many rows by their keys."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from django.db import connection
from django.db.models import BigIntegerField, Model, Q, QuerySet
from django.db.models.expressions import RawSQL

#: SQLite refuses a query with a thousand alternatives, and no database is faster with them.
MOST_PREFIXES = 100

_Prefix = tuple[Any, ...]
Row = TypeVar("Row", bound=Model)


def with_keys(fields: Sequence[str], keys: Iterable[Sequence[Any]]) -> Q:
    """A condition for the rows with one of these keys, along an index of these fields.

    Many keys share all parts but the last; the condition names those once. It names the first
    parts of all keys in front, so that a sharded database asks only their shards.
    """
    return _with(fields, _lasts_by_prefix(keys))


def in_pieces(fields: Sequence[str], keys: Iterable[Sequence[Any]]) -> Iterator[Q]:
    """The same in pieces, to be queried one after another, for keys that may share nothing."""
    prefixes = iter(_lasts_by_prefix(keys).items())
    while piece := dict(islice(prefixes, MOST_PREFIXES)):
        yield _with(fields, piece)


def behind(fields: Sequence[str], key: Sequence[Any] | None) -> Q:
    """A condition for the rows after this key in the order of these fields; None means all rows."""
    wanted = Q()
    if key is None:
        return wanted
    for place, field in enumerate(fields):
        shared = dict(zip(fields[:place], key[:place], strict=True))
        wanted = Q(**shared, **{f"{field}__gt": key[place]}) | wanted
    return wanted


def by_pk(rows: Iterable[Model]) -> Q:
    """A condition for these rows of one table, which were read before.

    It names their shard keys too, so that a sharded database asks only their shards.
    """
    rows = list(rows)
    wanted = Q(pk__in=[row.pk for row in rows])
    if rows and (shard_key := getattr(rows[0], "shard_key", None)):
        keys = dict.fromkeys(getattr(row, shard_key) for row in rows)
        wanted &= Q(**{f"{shard_key}__in": list(keys)})
    return wanted


def batches_by_pk(rows: "QuerySet[Row]", size: int, after: int = 0) -> Iterator[list[Row]]:
    """The rows above this primary key in its order, each once, at most `size` at a time."""
    while batch := list(rows.filter(pk__gt=after).order_by("pk")[:size]):
        yield batch
        after = batch[-1].pk


def _lasts_by_prefix(keys: Iterable[Sequence[Any]]) -> Mapping[_Prefix, list[Any]]:
    lasts: defaultdict[_Prefix, list[Any]] = defaultdict(list)
    for *prefix, last in keys:
        lasts[tuple(prefix)].append(last)
    return lasts


def _with(fields: Sequence[str], lasts_by_prefix: Mapping[_Prefix, Sequence[Any]]) -> Q:
    *prefix_fields, last_field = fields
    wanted = Q()
    for shared, lasts in lasts_by_prefix.items():
        of_prefix = dict(zip(prefix_fields, shared, strict=True))
        wanted |= Q(**of_prefix, **{f"{last_field}__in": lasts})
    if len(lasts_by_prefix) > 1:
        firsts = dict.fromkeys(prefix[0] for prefix in lasts_by_prefix)
        wanted = Q(**{f"{fields[0]}__in": list(firsts)}) & wanted
    return wanted


def number_by_pk(model: type[Model], numbers: Mapping[int, int]) -> RawSQL:
    """An expression with the number of each row, by primary key, for an update of these rows.

    Django's `When` would be slower than the update. At least one number is needed.
    """
    column = connection.ops.quote_name(str(model._meta.pk.column))
    whens = " ".join(["WHEN %s THEN %s"] * len(numbers))
    values = [value for pk_and_number in numbers.items() for value in pk_and_number]
    return RawSQL(f"CASE {column} {whens} END", values, BigIntegerField())  # noqa: S611 - marks only
