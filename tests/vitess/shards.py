"""The shards of the tests' keyspace, each with a MySQL of its own."""

from collections.abc import Mapping, Sequence

from django.db import connection

from infra.vitess.vschema import sharded_keyspace

#: Each shard, with its MySQL in the stack.
SHARDS = {"-80": "mysqld-2", "80-": "mysqld-3"}


def tokens_of_shards() -> Mapping[str, Sequence[str]]:
    """The tokens of the applications on each shard."""
    keyspace = str(connection.settings_dict["NAME"])
    found = {}
    with connection.cursor() as cursor:
        try:
            for shard in SHARDS:
                cursor.execute(f"USE `{sharded_keyspace(keyspace)}:{shard}`")
                cursor.execute("SELECT token FROM applications ORDER BY token")
                found[shard] = [token for [token] in cursor.fetchall()]
        finally:
            cursor.execute(f"USE `{keyspace}`")
    return found
