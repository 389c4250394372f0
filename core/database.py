"""Whether the database answers."""

from django.db import connection


def ask_database() -> None:
    """Raises errors of the database, within its limits.

    The thread's own connection, not kept: one that is stale would tell nothing the next time.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.close()
