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


@cache
def breaker() -> Breaker:
    """For what can go on without the database: one that hangs costs its patience once."""
    return Breaker("database", ask_database)
