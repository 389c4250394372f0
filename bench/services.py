"""The local stack: the addresses of its services, and the state of its parts.

Other designs use the same services as the product, so that only the design differs. In Redis they
keep to a database of their own.
"""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from bench import BenchError
from bench.processes import ROOT

_SCRATCH_REDIS_DATABASE = "/9"
_STACK = str(ROOT / "scripts" / "stack")
_LIMIT_SECONDS = 300


@dataclass(frozen=True)
class Services:
    """Addresses with their passwords."""

    base_url: str
    database_url: str
    scratch_redis_url: str
    broker_url: str
    elasticsearch_url: str


def services() -> Services:
    """Read the addresses from the environment. Raises BenchError if one is missing."""
    redis_url = urlsplit(_variable("REDIS_URL"))
    return Services(
        base_url=_variable("BASE_URL"),
        database_url=_variable("DATABASE_URL"),
        scratch_redis_url=urlunsplit(redis_url._replace(path=_SCRATCH_REDIS_DATABASE)),
        broker_url=_variable("BROKER_URL"),
        elasticsearch_url=_variable("ELASTICSEARCH_URL"),
    )


def _variable(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise BenchError(f'{name} is not set: set -a; eval "$(scripts/stack env)"; set +a')
    return value


@dataclass(frozen=True)
class Part:
    """A part of the stack; `pids` are the ids of its processes, parents and children.

    Clients reach it at `host` and `port`, if it has one.
    """

    state: str
    pids: Sequence[int]
    host: str
    port: int | None


def parts() -> Mapping[str, Part]:
    """All parts by name, as `scripts/stack status` shows them now."""
    status = subprocess.run(
        [_STACK, "status", "--json"], stdout=subprocess.PIPE, check=False, timeout=_LIMIT_SECONDS
    )
    return {
        line["part"]: Part(line["state"], line["pids"], line["host"], line["port"])
        for line in json.loads(status.stdout)
    }


def control(verb: str, part: str) -> None:
    """`scripts/stack VERB PART`. Raises CalledProcessError when that fails."""
    subprocess.run(
        [_STACK, verb, part], check=True, stdout=subprocess.DEVNULL, timeout=_LIMIT_SECONDS
    )
