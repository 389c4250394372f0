"""The VSchema follows from the models alone."""

import json
from pathlib import Path
from secrets import token_hex

from django.apps import apps

from infra.vitess.vschema import routing_rules, shard_key, sharded_models, vschema
from tests.live.servers import embedded_environment, manage

#: Tables that name an application and are not sharded by it, each with the reason.
NOT_SHARDED = {
    "imports": "a source of lines, whose next lines may be of another application",
    "imported_applications": "tells which application a name stands for",
}


def test_rows_of_an_application_are_on_its_shard() -> None:
    columns = {
        model._meta.db_table: {field.attname for field in model._meta.concrete_fields}
        for model in apps.get_models()
    }
    of_applications = {name for name, own in columns.items() if "application_token" in own}

    shard_keys = {table: shard_key(model) for table, model in sharded_models().items()}
    assert of_applications - shard_keys.keys() == NOT_SHARDED.keys()
    assert shard_keys["applications"] == "token"
    assert all(column in columns[table] for table, column in shard_keys.items())


def test_ids_come_from_sequences_that_are_not_sharded() -> None:
    keyspaces = vschema("chat")

    sequences = {
        table["auto_increment"]["sequence"]
        for table in keyspaces["chat_sharded"]["tables"].values()
    }
    declared = {f"chat.{name}" for name in keyspaces["chat"]["tables"]}
    assert sequences == declared
    assert keyspaces["chat_sharded"]["tables"]["messages"] == {
        "column_vindexes": [{"column": "application_token", "name": "xxhash"}],
        "auto_increment": {"column": "id", "sequence": "chat.messages_seq"},
    }


def test_each_sharded_table_is_found_from_the_other_keyspace() -> None:
    rules = {one["from_table"]: one["to_tables"] for one in routing_rules("chat")["rules"]}

    assert rules["chat.messages"] == ["chat_sharded.messages"]
    assert len(rules) == len(sharded_models())


def test_the_command_prints_it_without_a_database(tmp_path: Path) -> None:
    url = "vitess://nobody:nothing@127.0.0.1:1/chat"
    vitess = embedded_environment(tmp_path, DATABASE_URL=url, SECRET_KEY=token_hex(32))
    whole = manage("vschema", environment=vitess)
    part = manage("vschema", "chat_sharded", environment=vitess)
    unknown = manage("vschema", "chatty", environment=vitess)
    embedded = manage("vschema", environment=embedded_environment(tmp_path))

    assert whole.returncode == 0, whole.stderr
    assert json.loads(whole.stdout).keys() == {"chat", "chat_sharded", "routing-rules"}
    assert json.loads(part.stdout) == vschema("chat")["chat_sharded"]
    assert unknown.returncode == 1
    assert "chatty is none of chat, chat_sharded, routing-rules" in unknown.stderr
    assert embedded.returncode == 1
    assert "vitess://" in embedded.stderr
