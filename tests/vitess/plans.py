"""The plans that vtgate has made: what each statement of the application costs in shards."""

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

#: Plans of a single route to one shard, to those of given keys, or to an unsharded keyspace.
_ROUTED = {"Passthrough", "MultiShard", "Lookup", "Local", "Topology", "Transaction", "DirectDDL"}
_LIMIT_SECONDS = 30


def scattered(keyspace: str) -> Mapping[str, int]:
    """The statements on this keyspace that go to all shards, and how often each was made."""
    found: dict[str, int] = {}
    for plan in _plans():
        is_here = any(table.startswith(f"{keyspace}.") for table in plan.get("TablesUsed", ()))
        if is_here and plan["Type"] not in _ROUTED:
            statement = normal(plan["Original"])
            found[statement] = found.get(statement, 0) + plan.get("ExecCount", 0)
    return found


def normal(statement: str) -> str:
    """The statement without its values, columns and comments."""
    text = re.sub(r"/\*.*?\*/", "", statement)
    text = re.sub(r"::?\w+", "?", text).replace("`", "")
    text = re.sub(r"\bselect (distinct )?.*? from ", r"select \1… from ", text)
    return " ".join(text.split())


def _plans() -> Iterator[Mapping[str, Any]]:
    answer = httpx.get(
        f"{os.environ['VTGATE_STATUS_URL']}/debug/query_plans", timeout=_LIMIT_SECONDS
    )
    yield from answer.raise_for_status().json().values()
