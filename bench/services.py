"""Where the stack's services are, as `scripts/stack env` prints them.

The baselines use the same servers as the product, so that only the design differs; in Redis they
keep to a database of their own.
"""

import os
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from bench.errors import BenchError

_SCRATCH_REDIS_DATABASE = "/9"


@dataclass(frozen=True)
class Services:
    """The addresses, passwords included."""

    base_url: str
    database_url: str
    scratch_redis_url: str
    broker_url: str


def services() -> Services:
    """Read from the environment. Raises BenchError where one is missing."""
    return Services(
        base_url=_variable("BASE_URL"),
        database_url=_variable("DATABASE_URL"),
        scratch_redis_url=_scratch(_variable("REDIS_URL")),
        broker_url=_variable("BROKER_URL"),
    )


def _variable(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise BenchError(f'{name} is not set: set -a; eval "$(scripts/stack env)"; set +a')
    return value


def _scratch(redis_url: str) -> str:
    return urlunsplit(urlsplit(redis_url)._replace(path=_SCRATCH_REDIS_DATABASE))
