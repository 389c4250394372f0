"""The database: work that is repeated where nothing was done, liveness checks, and its breaker.

A transaction is repeated after a deadlock, and both it and reads after their connection broke: it
may have led to another node, or to a server that was restarted since. Other errors are not repeated
here: a lock timeout has cost its time already, and a lost commit may have been done.
"""

import os
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache, partial
from typing import Any, TypeVar
from uuid import uuid4

from django.db import Error, InterfaceError, OperationalError, connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone
from tenacity import retry, retry_if_exception, stop_after_attempt, wait_random_exponential

from infra.breaker import Breaker
from infra.event_loop import Batcher, is_in_greenlet
from infra.models import Job
from infra.service_errors import is_deadlock, is_of_shard
from infra.timeouts import DATABASE_DEADLOCK_ATTEMPTS, DATABASE_SILENCE_SECONDS

Result = TypeVar("Result")


#: A server or proxy that closes connections says so at once; what took longer is not repeated.
_AT_ONCE_SECONDS = 1.0
_COMMIT_POLL_SECONDS = 0.05


class ShardFailed(OperationalError):
    """A shard failed before the commit: nothing was done, and rows of others may be stored."""


def end_silent_connections(connection: BaseDatabaseWrapper, **_: object) -> None:
    """Let the kernel end a new connection when the other host is silent, not only slow.

    TCP sends lost data again at growing intervals (RFC 6298). So a thread whose statement was cut
    off would wait on after the network is back, for up to as long as the network was away.
    """
    if connection.vendor != "mysql":
        return
    with socket.socket(fileno=os.dup(connection.connection.fileno())) as wire:
        if wire.family == socket.AF_UNIX:
            return
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (
            (socket.TCP_USER_TIMEOUT, DATABASE_SILENCE_SECONDS * 1000),
            (socket.TCP_KEEPIDLE, DATABASE_SILENCE_SECONDS // 2),
            (socket.TCP_KEEPINTVL, 1),
        ):
            wire.setsockopt(socket.IPPROTO_TCP, option, value)


def in_transaction(
    work: Callable[[], Result], *, is_stored: Callable[[Result], bool] | None = None
) -> Result:
    """The result of `work` in a transaction of its own, tried at most ten times.

    Raises what `work` raises; ShardFailed; OperationalError after ten deadlocks, or if the
    connection breaks during the commit, unless the result `is_stored` soon after; RuntimeError
    inside another transaction, which a deadlock would roll back as well.
    """
    committing: list[Result] = []

    def attempt() -> Result:
        committing.clear()
        result = work()
        committing.append(result)
        return result

    began = time.monotonic()
    try:
        return _transact(attempt)
    except (OperationalError, InterfaceError) as error:
        if is_of_shard(error) and not committing:
            raise ShardFailed(*error.args) from error
        if not _broke_at_once(error, began):
            raise
        close_connection()
        if committing:
            [result] = committing
            if is_stored and _becomes_true(partial(is_stored, result)):
                return result
            raise
    return _transact(work)


def _becomes_true(condition: Callable[[], bool]) -> bool:
    """Whether it holds within a moment: a commit may go on without its connection."""
    limit = time.monotonic() + _AT_ONCE_SECONDS
    while not condition():
        if time.monotonic() > limit:
            return False
        time.sleep(_COMMIT_POLL_SECONDS)
    return True


@retry(
    retry=retry_if_exception(is_deadlock),
    stop=stop_after_attempt(DATABASE_DEADLOCK_ATTEMPTS),
    wait=wait_random_exponential(multiplier=0.02, max=0.5),
    reraise=True,
)
def _transact(work: Callable[[], Result]) -> Result:
    with transaction.atomic(durable=True):
        return work()


def read_in_thread(work: Callable[[], Result]) -> Result:
    """The result of `work`, which only reads; done again, once, if its connection had broken."""
    renew_connection()
    return again_if_broken(work)


def again_if_broken(work: Callable[[], Result]) -> Result:
    """The result of work that may be done twice; done again, once, if its connection had broken."""
    began = time.monotonic()
    try:
        return work()
    except (OperationalError, InterfaceError) as error:
        return read_again(work, error, began)


def read_again(work: Callable[[], Result], error: Exception, began: float) -> Result:
    """Do this work again, which failed with the error; raises it unless its connection had broken.

    `began`: when the work began, by the monotonic clock.
    """
    if connection.in_atomic_block or not _broke_at_once(error, began):
        raise error
    close_connection()
    return work()


def _broke_at_once(error: Exception, began: float) -> bool:
    """Whether the connection broke within a moment since then; a new one may be well."""
    took = time.monotonic() - began
    return error.args[:1] in _CONNECTION_WAS_CLOSED and took < _AT_ONCE_SECONDS


#: Gone away, lost during a query; of the server: shutdown, killed, closed as idle.
_CONNECTION_WAS_CLOSED = frozenset({(2006,), (2013,), (1053,), (1927,), (4031,)})
#: Errors of the client of MariaDB and MySQL: no connection, or one that broke before a statement;
#: and of the server: too many connections.
_NO_CONNECTION = frozenset({2002, 2003, 2005, 2012, 2026, 1040})
#: What a server that hangs does not send in time; the error has the number of a lost connection.
_GREETING = "initial communication packet"


def ping_database() -> None:
    """Raises errors of the database, within its time limits.

    It uses the thread's own connection and closes it: a stale one would say nothing the next time.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.close()


def try_database_write() -> None:
    """Insert a row and roll back. Raises errors of the database, within its time limits.

    A database that is read only, or whose disk is full, still answers reads.
    """
    try:
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA busy_timeout = 0")
        with transaction.atomic(durable=True):
            Job.objects.create(name=f"trial {uuid4().hex}", started_at=timezone.now())
            transaction.set_rollback(True)
    except OperationalError as error:
        # SQLite has one writer at a time: another one is writing, so writes work.
        if "database is locked" not in str(error):
            raise
    finally:
        connection.close()


def close_connection() -> None:
    """Close this thread's connection; a broken one may fail at that too."""
    with suppress(Error):
        connection.close()


def renew_connection() -> None:
    """Replace this thread's connection if it is old or broken, as Django does before a request."""
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()


def note_failure(error: Exception) -> None:
    """Open the breaker if this error means that no connection is to be had.

    One that was lost says little: the next one may lead to another server.
    """
    if error.args[:1] and (error.args[0] in _NO_CONNECTION or _GREETING in str(error)):
        database_breaker().open(error)


def note_outage(error: Exception) -> None:
    """Open the breaker after this error, unless it is of one shard: the others may be well."""
    if not is_of_shard(error):
        database_breaker().open(error)


def wait_in_thread(work: Callable[[], Result]) -> Result:
    """The result of `work`, which waits for services; on an event loop, in a thread.

    Only for what is rarely needed: such work is done one after the other. Raises Unavailable if too
    much of it waits.
    """
    if not is_in_greenlet():
        return work()
    result: Result = _rare_work.call(work)
    return result


def _do_each(works: Sequence[Callable[[], Any]]) -> list[Any]:
    renew_connection()
    outcomes: list[Any] = []
    for work in works:
        try:
            outcomes.append(work())
        except Exception as error:  # noqa: BLE001 - it is the outcome of this work alone
            outcomes.append(error)
    return outcomes


_rare_work: Batcher[Callable[[], Any], Any] = Batcher("rare-work", _do_each)


@cache
def database_breaker() -> Breaker:
    """The breaker of this process, for work that can go on without the database."""
    return Breaker("database", ping_database)
