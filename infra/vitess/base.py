"""Django's backend for MySQL, where it has to know that there are two keyspaces.

Statements name tables without a keyspace; the routing rules (vschema.routing_rules) find them.
"""

import re
import time
from collections.abc import Sequence
from typing import Any

from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.introspection import TableInfo
from django.db.backends.mysql import creation, introspection, schema
from django.db.backends.utils import CursorWrapper
from django.db.models import Field, ForeignKey, Model
from django.utils.functional import cached_property

from infra.mysql import base
from infra.timeouts import ONLINE_DDL_SECONDS
from infra.vitess.vschema import sequence, sharded_keyspace, sharded_models

#: Ids that a tablet takes from a sequence at a time. It loses those that it holds when it ends, so
#: ids have gaps.
SEQUENCE_CACHE = 1000

_altered_table = re.compile(
    r"(?:ALTER TABLE|(?:CREATE|DROP) (?:UNIQUE )?INDEX `\w+` ON) `(\w+)`"
).match
#: As the tables have.
_COLLATION = "utf8mb4_bin"
_is_text = re.compile("(?:var)?char|longtext").match
_POLL_SECONDS = 0.5
_KNOWN_WITHIN_SECONDS = 30
#: Tables of Vitess's own: what is left of dropped and altered ones for a while.
_INTERNAL = "_vt_"


class SchemaEditor(schema.DatabaseSchemaEditor):
    """Makes sequences, and changes large tables while they are in use."""

    def table_sql(self, model: type[Model]) -> tuple[str, Any]:
        """Without AUTO_INCREMENT, which would give the same ids on each shard."""
        sql, parameters = super().table_sql(model)
        if model._meta.db_table in sharded_models():
            sql = sql.replace(" AUTO_INCREMENT", "")
        return sql, parameters

    def create_model(self, model: type[Model]) -> None:
        """Make the table on all shards, and its sequence."""
        table = model._meta.db_table
        if table in sharded_models():
            # What a row refers to may be on another shard.
            for field in model._meta.local_fields:
                if isinstance(field, ForeignKey):
                    field.db_constraint = False  # type: ignore[attr-defined] # the stubs lack it
        super().create_model(model)
        if table in sharded_models():
            name = self.quote_name(sequence(table))
            self.execute(
                f"CREATE TABLE IF NOT EXISTS {name} (id bigint NOT NULL PRIMARY KEY, "
                "next_id bigint NOT NULL, cache bigint NOT NULL) COMMENT 'vitess_sequence'"
            )
            values = f"(id, next_id, cache) VALUES (0, 1, {SEQUENCE_CACHE})"
            self.execute(f"INSERT IGNORE INTO {name} {values}")

    def add_field(self, model: type[Model], field: Field[Any, Any]) -> None:
        """Add the column, and return when vtgate knows it: it learns of changes a moment later."""
        super().add_field(model, field)
        table, column = map(self.quote_name, (model._meta.db_table, str(field.column)))
        limit = time.monotonic() + _KNOWN_WITHIN_SECONDS
        while True:
            try:
                with self.connection.cursor() as cursor:
                    cursor.execute(f"SELECT {column} FROM {table} LIMIT 0")  # noqa: S608 - names
            except OperationalError:
                if time.monotonic() > limit:
                    raise
                time.sleep(_POLL_SECONDS)
            else:
                return

    def execute(self, sql: Any, params: Sequence[Any] | None = ()) -> None:
        """Change a sharded table that has rows by online DDL; do anything else at once."""
        altered = _altered_table(str(sql))
        if altered and altered[1] in sharded_models() and self._has_rows(altered[1]):
            self._change_online(str(sql), params)
        else:
            super().execute(sql, params)

    def _has_rows(self, table: str) -> bool:
        with self.connection.cursor() as cursor:
            cursor.execute(f"SELECT 1 FROM {self.quote_name(table)} LIMIT 1")  # noqa: S608 - a name
            return cursor.fetchone() is not None

    def _change_online(self, sql: str, params: Sequence[Any] | None) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute("SET @@ddl_strategy = 'vitess'")
            try:
                cursor.execute(sql, params)
                [[migration]] = cursor.fetchall()
            finally:
                cursor.execute("SET @@ddl_strategy = 'direct'")
            _await_migration(cursor, _sharded_keyspace(self.connection), migration)


def _sharded_keyspace(connection: BaseDatabaseWrapper) -> str:
    return sharded_keyspace(str(connection.settings_dict["NAME"]))


def _await_migration(cursor: CursorWrapper, keyspace: str, migration: str) -> None:
    """Return when all shards have made the change. Raises OperationalError if one cannot."""
    limit = time.monotonic() + ONLINE_DDL_SECONDS
    while True:
        cursor.execute(f"SHOW VITESS_MIGRATIONS FROM `{keyspace}` LIKE '{migration}'")
        names = [column[0] for column in cursor.description]
        shards = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        states = {shard["migration_status"] for shard in shards}
        if states == {"complete"}:
            return
        if states & {"failed", "cancelled"} or time.monotonic() > limit:
            messages = {shard["message"] for shard in shards}
            raise OperationalError(f"online DDL {migration}: {states}, {messages}")
        time.sleep(_POLL_SECONDS)


class Introspection(introspection.DatabaseIntrospection):
    """Knows the tables of both keyspaces."""

    def get_table_list(self, cursor: CursorWrapper) -> list[TableInfo]:
        """The tables of the keyspace that is connected to, and of its sharded one."""
        with self.connection.cursor() as sharded:
            sharded.execute(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = %s",
                [_sharded_keyspace(self.connection)],
            )
            found = [TableInfo(name, "t") for [name] in sharded]
        tables = [*super().get_table_list(cursor), *found]
        return [table for table in tables if not table.name.startswith(_INTERNAL)]


class Creation(creation.DatabaseCreation):
    """Tests use keyspaces that are there already: Vitess makes none by SQL."""

    def _create_test_db(self, verbosity: int, autoclobber: bool, keepdb: bool = False) -> str:
        name = str(self.connection.settings_dict["TEST"]["NAME"])
        if not keepdb:
            self.connection.close()
            self.connection.settings_dict["NAME"] = name
            self._drop_tables()
        return name

    def _drop_tables(self) -> None:
        """Drop all but sequences: tablets go on with the ids that they hold."""
        kept = set(map(sequence, sharded_models()))
        with self.connection.cursor() as cursor:
            cursor.execute("SET foreign_key_checks = 0")
            for table in set(self.connection.introspection.table_names(cursor)) - kept:
                cursor.execute(f"DROP TABLE {self.connection.ops.quote_name(table)}")
        self.connection.close()

    def _destroy_test_db(self, test_database_name: str, verbosity: int) -> None:
        pass


class DatabaseWrapper(base.DatabaseWrapper):
    """The connection; Django finds it by this name."""

    display_name = "Vitess"
    SchemaEditorClass = SchemaEditor
    introspection_class = Introspection
    creation_class = Creation

    @cached_property
    def data_types(self) -> dict[str, str]:  # type: ignore[override] # the stub has an attribute
        """The types of columns, text with its collation.

        MySQL writes a column's character set into SHOW CREATE TABLE only if its definition named a
        collation, as that of a copy does. A new shard must have the very same tables.
        """
        types = super().data_types
        return {
            kind: f"{sql} COLLATE {_COLLATION}" if _is_text(sql) else sql
            for kind, sql in types.items()
        }
