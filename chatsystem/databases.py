"""Django's settings of the database and the caches, with the time limits of each wait."""

from pathlib import Path
from typing import Any

import dj_database_url

from infra import timeouts

_VITESS = "infra.vitess"
dj_database_url.register("mysql", "infra.mysql")
dj_database_url.register("vitess", _VITESS)

#: The cache of a single process (operations.admin.logins uses the same name).
PROCESS = "process"


def database(url: str, test_file: Path | None = None) -> dict[str, Any]:
    """The database at this URL; tests of a file database use `test_file`."""
    settings: dict[str, Any] = dict(
        dj_database_url.parse(url, conn_max_age=timeouts.DATABASE_CONNECTION_AGE_SECONDS)
    )
    settings["CONN_HEALTH_CHECKS"] = True
    if "sqlite" in settings["ENGINE"]:
        settings["OPTIONS"] = {
            # Become the writer at BEGIN: a transaction that reads first and writes later would fail
            # with "database is locked" without waiting.
            "transaction_mode": "IMMEDIATE",
            "timeout": timeouts.SQLITE_LOCK_SECONDS,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        }
        settings["TEST"] = {"NAME": test_file}
    else:
        is_sharded = settings["ENGINE"] == _VITESS
        lock_seconds = timeouts.SHARD_LOCK_SECONDS if is_sharded else timeouts.DATABASE_LOCK_SECONDS
        settings["OPTIONS"] = {
            **settings.get("OPTIONS", {}),
            "charset": "utf8mb4",
            "isolation_level": "read committed",
            "init_command": "SET sql_mode='STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION,"
            "ERROR_FOR_DIVISION_BY_ZERO', "
            f"innodb_lock_wait_timeout={lock_seconds} "
            # For others than MariaDB, this is a comment.
            f"/*M! , idle_transaction_timeout={timeouts.DATABASE_IDLE_TRANSACTION_SECONDS} */",
            "connect_timeout": timeouts.DATABASE_CONNECT_SECONDS,
            "read_timeout": timeouts.DATABASE_ANSWER_SECONDS,
            "write_timeout": timeouts.DATABASE_ANSWER_SECONDS,
        }
        settings["TEST"] = {
            "NAME": f"test_{settings['NAME']}",
            "CHARSET": "utf8mb4",
            "COLLATION": "utf8mb4_bin",
        }
    return settings


def caches(redis_url: str) -> dict[str, dict[str, Any]]:
    """The cache that all processes share in Redis, and the cache of each process."""
    alone = {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "LOCATION": PROCESS,
        "OPTIONS": {"MAX_ENTRIES": 10_000},
    }
    if not redis_url or redis_url.startswith("redis-cluster:"):
        return {"default": alone, PROCESS: alone}
    shared = {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": redis_url,
        "OPTIONS": {
            # The default is pickle: a write to Redis could run code here.
            "SERIALIZER": "django_redis.serializers.json.JSONSerializer",
            "SOCKET_CONNECT_TIMEOUT": timeouts.REDIS_CACHE_SECONDS,
            "SOCKET_TIMEOUT": timeouts.REDIS_CACHE_SECONDS,
            "IGNORE_EXCEPTIONS": True,
        },
    }
    return {"default": shared, PROCESS: alone}
