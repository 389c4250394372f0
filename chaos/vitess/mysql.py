"""The MySQL of a shard, asked directly by its socket, and commands to Vitess."""

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from bench.services import parts
from chaos import stack
from chaos.database import query
from chaos.errors import ChaosError
from chaos.parent import Parent
from infra.vitess.vschema import sharded_keyspace

KEYSPACE = "chatsystem"
#: The keyspace of the applications' rows.
SHARDED = sharded_keyspace(KEYSPACE)

_LIMIT_SECONDS = 10


def is_vitess() -> bool:
    """Whether clients reach the database by way of Vitess."""
    return "vtgate" in parts()


def has_shards() -> bool:
    """Whether the rows of applications are spread over shards."""
    return is_vitess() and bool(query(f"SHOW TABLES FROM `{SHARDED}`"))


def ask(node: str, sql: str) -> str:
    """What a statement returns, a line for each row. Raises CalledProcessError."""
    socket = Path(os.environ["STACK_DIR"], "run", f"{node}.sock")
    done = subprocess.run(
        ["mariadb", f"--socket={socket}", "--user=vt_dba", "--skip-column-names", "-e", sql],
        capture_output=True,
        text=True,
        timeout=_LIMIT_SECONDS,
        check=True,
    )
    return done.stdout


def kill_transactions(node: str) -> int:
    """Close the connections of all open transactions; their number.

    Raises CalledProcessError if one ends by itself meanwhile.
    """
    running = "SELECT trx_mysql_thread_id FROM information_schema.innodb_trx"
    threads = [int(thread) for thread in ask(node, running).split()]
    for thread in threads:
        ask(node, f"KILL {thread}")
    return len(threads)


def serving_shards() -> Sequence[str]:
    """The names of the shards that have the rows now."""
    known = json.loads(vtctldclient("GetSrvKeyspaces", SHARDED))
    [partitions] = [cell["partitions"] for cell in known.values()]
    return [one["name"] for one in partitions[0]["shard_references"]]


def on_each_shard(new_application: Callable[[], Parent]) -> Sequence[Parent]:
    """New applications, one on each shard; chance decides where each is."""
    shards = serving_shards()
    found: dict[str, Parent] = {}
    while len(found) < len(shards):
        made = new_application()
        [shard] = filter(partial(_has, made.token), shards)
        found[shard] = made
    return list(found.values())


def _has(token: str, shard: str) -> bool:
    one = "SELECT 1 FROM applications WHERE token = %s"
    return bool(query(one, token, name=f"{SHARDED}:{shard}"))


def vtctldclient(*arguments: str) -> str:
    """What a command to Vitess prints. Raises ChaosError if it fails."""
    home = stack.run(str(stack.ROOT / "scripts" / "provision-vitess"), "--where").stdout.strip()
    server = parts()["vtctld"]
    done = stack.run(
        f"{home}/bin/vtctldclient", "--server", f"{server.host}:{server.port}", *arguments
    )
    if done.returncode != 0:
        raise ChaosError(f"vtctldclient {' '.join(arguments)}: {done.stdout}{done.stderr}")
    return done.stdout
