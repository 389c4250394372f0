"""Whether the database answers, and who in this process knows that it does not."""

from functools import cache

from django.db import connection

from core.breaker import Breaker


def ask_database() -> None:
    """Raises errors of the database, within its limits.

    The thread's own connection, not kept: one that is stale would tell nothing the next time.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.close()


def renew_connection() -> None:
    """As Django before each request, for a thread that lives on and has none of its own.

    What it left long ago is closed, and what died meanwhile is noticed.
    """
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()


@cache
def breaker() -> Breaker:
    """For what can go on without the database: one that hangs costs its patience once."""
    return Breaker("database", ask_database)
