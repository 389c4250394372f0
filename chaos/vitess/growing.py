"""An installation grows under load: from one MySQL to two shards, and to four.

Vitess describes both in its manual, under MoveTables and Reshard.
"""

import json
import os
from collections.abc import Mapping

from chaos import stack
from chaos.cases import Case
from chaos.errors import ChaosError, NotHere
from chaos.fault import Fault
from chaos.vitess.mysql import KEYSPACE, SHARDED, has_shards, serving_shards, vtctldclient
from chaos.waiting import until
from infra.vitess.vschema import sharded_models

_COPIED_WITHIN_SECONDS = 300.0
#: So far behind are the copies when writes are held back for the switch.
_MOST_LAG = "2s"
_FIRST = ("-80", "80-")
_LATER = ("-40", "40-80", "80-c0", "c0-")
_SERVERS = ("mysqld-1", "mysqld-2", "mysqld-3")


class Moved(Fault):
    """Moves what belongs to applications from one MySQL to two shards."""

    def prepare(self) -> None:
        """Raises NotHere after the move."""
        if has_shards():
            raise NotHere("the tables are on shards already")

    def inject(self) -> None:
        """Copy the rows, switch when the shards have caught up, and drop the old tables."""
        for keyspace in (SHARDED, KEYSPACE):
            vtctldclient("ApplyVSchema", "--vschema", _vschema(keyspace), keyspace)
        move = ("MoveTables", "--workflow", "move", "--target-keyspace", SHARDED)
        vtctldclient(
            *(*move, "create", "--source-keyspace", KEYSPACE),
            *("--tables", ",".join(sharded_models())),
            *("--sharded-auto-increment-handling", "REMOVE"),
        )
        _until_copied(*move)
        vtctldclient(
            *(*move, "switchtraffic", "--max-replication-lag-allowed", _MOST_LAG),
            "--initialize-target-sequences",
        )
        vtctldclient(*move, "complete", "--keep-routing-rules")
        vtctldclient("ApplyRoutingRules", "--rules", _vschema("routing-rules"))


class Resharded(Fault):
    """Splits each of the two shards."""

    def prepare(self) -> None:
        """Raises NotHere after the split."""
        if len(serving_shards()) != len(_FIRST):
            raise NotHere("the shards are split already")

    def inject(self) -> None:
        """Copy the rows, switch when the new shards have caught up, and drop the old ones."""
        reshard = ("Reshard", "--workflow", "split", "--target-keyspace", SHARDED)
        vtctldclient(
            *(*reshard, "create", "--source-shards", ",".join(_FIRST)),
            *("--target-shards", ",".join(_LATER)),
        )
        _until_copied(*reshard)
        vtctldclient(*reshard, "switchtraffic", "--max-replication-lag-allowed", _MOST_LAG)
        vtctldclient(*reshard, "complete")


def _vschema(part: str) -> str:
    vitess = {"DATABASE_URL": os.environ["DATABASE_URL"].replace("mysql://", "vitess://")}
    python = str(stack.ROOT / ".venv" / "bin" / "python")
    done = stack.run(python, "manage.py", "vschema", part, environment=vitess)
    if done.returncode != 0:
        raise ChaosError(f"manage.py vschema {part}: {done.stderr}")
    return done.stdout


def _until_copied(*workflow: str) -> None:
    def is_copied() -> bool:
        status = json.loads(vtctldclient(*workflow, "status", "--format", "json"))
        streams = [one for shard in status["shard_streams"].values() for one in shard["streams"]]
        return bool(streams) and all(one["status"] == "Running" for one in streams)

    until(is_copied, "the shards have all rows", _COPIED_WITHIN_SECONDS)


MOVING: Mapping[str, Case] = {"move-tables": Case("move-tables", Moved(), _SERVERS, 0.0)}
RESHARDING: Mapping[str, Case] = {"reshard": Case("reshard", Resharded(), _SERVERS, 0.0)}
