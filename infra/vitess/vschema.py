"""Which tables are sharded, as Vitess wants to hear it (https://vitess.io/docs/reference/vschema).

A model with a `shard_key` has its table in a sharded keyspace, where the value of that column says
which shard a row is on: all rows of one application are on one shard. All other tables, and the
sequences that give ids to rows of sharded tables, are in the keyspace that the URL names.
"""

from collections.abc import Mapping
from typing import Any

from django.apps import apps
from django.db.models import AutoField, Model

_VINDEX = "xxhash"


def sharded_keyspace(keyspace: str) -> str:
    """The name of the sharded keyspace that belongs to this one."""
    return f"{keyspace}_sharded"


def sequence(table: str) -> str:
    """The name of the sequence that gives ids to the rows of this table."""
    return f"{table}_seq"


def sharded_models() -> Mapping[str, type[Model]]:
    """The model of each sharded table."""
    return {
        model._meta.db_table: model for model in apps.get_models() if hasattr(model, "shard_key")
    }


def vschema(keyspace: str) -> Mapping[str, Mapping[str, Any]]:
    """The VSchema of both keyspaces by their names."""
    models = sharded_models()
    return {
        keyspace: {
            "sharded": False,
            "tables": {sequence(table): {"type": "sequence"} for table in models},
        },
        sharded_keyspace(keyspace): {
            "sharded": True,
            "vindexes": {_VINDEX: {"type": _VINDEX}},
            "tables": {
                table: {
                    "column_vindexes": [{"column": shard_key(model), "name": _VINDEX}],
                    "auto_increment": {
                        "column": _id_column(model),
                        "sequence": f"{keyspace}.{sequence(table)}",
                    },
                }
                for table, model in models.items()
            },
        },
    }


def routing_rules(keyspace: str) -> Mapping[str, Any]:
    """Rules by which each sharded table is found where statements look for it."""
    sharded = sharded_keyspace(keyspace)
    return {
        "rules": [
            {"from_table": f"{keyspace}.{table}", "to_tables": [f"{sharded}.{table}"]}
            for table in sharded_models()
        ]
    }


def shard_key(model: type[Model]) -> str:
    """The column that says which shard a row is on."""
    return str(getattr(model, "shard_key"))  # noqa: B009 - few models have it


def _id_column(model: type[Model]) -> str:
    key = model._meta.pk
    if not isinstance(key, AutoField):
        raise TypeError(f"{model}: only a primary key of the database's own can have a sequence")
    return str(key.column)
