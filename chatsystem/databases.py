"""Django's description of a database, with the limits that every wait on it has."""

from pathlib import Path
from typing import Any

import dj_database_url

from core import timeouts


def database(url: str, test_file: Path | None = None) -> dict[str, Any]:
    """The one at this URL; where it is a file, tests have another."""
    settings: dict[str, Any] = dict(
        dj_database_url.parse(url, conn_max_age=timeouts.DATABASE_CONNECTION_AGE_SECONDS)
    )
    settings["CONN_HEALTH_CHECKS"] = True
    if "sqlite" in settings["ENGINE"]:
        settings["OPTIONS"] = _sqlite_options()
        settings["TEST"] = {"NAME": test_file}
    else:
        settings["OPTIONS"] = {**settings.get("OPTIONS", {}), **_server_options()}
        settings["TEST"] = {"CHARSET": "utf8mb4", "COLLATION": "utf8mb4_bin"}
    return settings


def _sqlite_options() -> dict[str, Any]:
    return {
        # One writer at a time, taken at BEGIN: a transaction that read first and writes later
        # would fail with "database is locked" without waiting.
        "transaction_mode": "IMMEDIATE",
        "timeout": timeouts.SQLITE_LOCK_SECONDS,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }


def _server_options() -> dict[str, Any]:
    return {
        "charset": "utf8mb4",
        "isolation_level": "read committed",
        "init_command": "SET sql_mode='STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION,"
        "ERROR_FOR_DIVISION_BY_ZERO', "
        f"innodb_lock_wait_timeout={timeouts.DATABASE_LOCK_SECONDS}",
        "connect_timeout": timeouts.DATABASE_CONNECT_SECONDS,
        "read_timeout": timeouts.DATABASE_ANSWER_SECONDS,
        "write_timeout": timeouts.DATABASE_ANSWER_SECONDS,
    }
