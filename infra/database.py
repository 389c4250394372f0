"""Transactions that are repeated when the database asks for it, and only then.

A deadlock says "nothing happened, try again", at once. Anything else is not repeated here: a lock
that was waited for in vain has cost its time already, and a lost connection may have committed.

Whether the database answers and takes writes, and who in this process knows that it does not.
"""

from collections.abc import Callable
from functools import cache
from typing import TypeVar
from uuid import uuid4

from django.db import OperationalError, connection, transaction
from django.utils import timezone
from tenacity import retry, retry_if_exception, stop_after_attempt, wait_random_exponential

from infra.breaker import Breaker
from infra.models import Job
from infra.service_errors import is_deadlock
from infra.timeouts import DATABASE_DEADLOCK_ATTEMPTS

Result = TypeVar("Result")


@retry(
    retry=retry_if_exception(is_deadlock),
    stop=stop_after_attempt(DATABASE_DEADLOCK_ATTEMPTS),
    wait=wait_random_exponential(multiplier=0.02, max=0.5),
    reraise=True,
)
def in_transaction(work: Callable[[], Result]) -> Result:
    """The result of `work` in a transaction of its own, tried at most ten times.

    Raises what `work` raises; OperationalError when rivals won ten times; RuntimeError inside of
    another transaction, which a deadlock would have rolled back as well.
    """
    with transaction.atomic(durable=True):
        return work()


#: MariaDB's and MySQL's clients: cannot connect, gone away, lost during a query; the server's:
#: too many connections, shutdown in progress.
_CONNECTION_BROKE = frozenset({2002, 2003, 2005, 2006, 2012, 2013, 2026, 1040, 1053})


def ping_database() -> None:
    """Raises errors of the database, within its limits.

    The thread's own connection, not kept: one that is stale would tell nothing the next time.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.close()


def try_database_write() -> None:
    """Insert a row and take it back. Raises errors of the database, within its limits.

    A database that was set to read only, or whose disk is full, answers all that is read.
    """
    try:
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA busy_timeout = 0")
        with transaction.atomic(durable=True):
            Job.objects.create(name=f"trial {uuid4().hex}", started_at=timezone.now())
            transaction.set_rollback(True)
    except OperationalError as error:
        # SQLite has one writer at a time: another one is at work, so writing works.
        if "database is locked" not in str(error):
            raise
    finally:
        connection.close()


def renew_connection() -> None:
    """As Django before each request, for a thread that lives on and has none of its own.

    What it left long ago is closed, and what died meanwhile is noticed.
    """
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()


def note_failure(error: Exception) -> None:
    """Leave the database alone for now, if this error says that its connection broke."""
    if error.args and error.args[0] in _CONNECTION_BROKE:
        database_breaker().open(error)


@cache
def database_breaker() -> Breaker:
    """For what can go on without the database: one that hangs costs its patience once."""
    return Breaker("database", ping_database)
