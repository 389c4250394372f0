"""Which tables are sharded, as Vitess wants to hear it (https://vitess.io/docs/reference/vschema).

A model with a `shard_key` has its table in a sharded keyspace, where the value of that column says
which shard a row is on: all rows of one application are on one shard. All other tables, and the
sequences that give ids to rows of sharded tables, are in the keyspace that the URL names.
"""

from collections.abc import Mapping
from typing import Any

from django.apps import apps
from django.db.models import AutoField

_VINDEX = "xxhash"


def sharded_keyspace(keyspace: str) -> str:
    """The name of the sharded keyspace that belongs to this one."""
    return f"{keyspace}_sharded"


def sequence(table: str) -> str:
    """The name of the sequence that gives ids to the rows of this table."""
    return f"{table}_seq"


def shard_keys() -> Mapping[str, str]:
    """The column that shards each sharded table."""
    return {
        model._meta.db_table: str(getattr(model, "shard_key"))  # noqa: B009 - few models have it
        for model in apps.get_models()
        if hasattr(model, "shard_key")
    }


def vschema(keyspace: str) -> Mapping[str, Mapping[str, Any]]:
    """The VSchema of both keyspaces by their names."""
    tables = shard_keys()
    return {
        keyspace: {
            "sharded": False,
            "tables": {sequence(table): {"type": "sequence"} for table in tables},
        },
        sharded_keyspace(keyspace): {
            "sharded": True,
            "vindexes": {_VINDEX: {"type": _VINDEX}},
            "tables": {
                table: {
                    "column_vindexes": [{"column": column, "name": _VINDEX}],
                    "auto_increment": {
                        "column": _id_column(table),
                        "sequence": f"{keyspace}.{sequence(table)}",
                    },
                }
                for table, column in tables.items()
            },
        },
    }


def routing_rules(keyspace: str) -> Mapping[str, Any]:
    """Rules by which each sharded table is found where statements look for it."""
    sharded = sharded_keyspace(keyspace)
    return {
        "rules": [
            {"from_table": f"{keyspace}.{table}", "to_tables": [f"{sharded}.{table}"]}
            for table in shard_keys()
        ]
    }


def _id_column(table: str) -> str:
    [key] = [each._meta.pk for each in apps.get_models() if each._meta.db_table == table]
    if not isinstance(key, AutoField):
        raise TypeError(f"{table}: only a primary key of the database's own can have a sequence")
    return str(key.column)
