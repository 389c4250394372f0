"""What must hold before a process may start: one sentence and the end, instead of a traceback.

Called by everything that stays: `manage.py serve`, gunicorn, the Celery worker and beat.
"""

from django.core.checks import Error, run_checks
from django.db import Error as DatabaseError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from chatsystem import env


def preflight() -> None:
    """Return when the process may start; end it otherwise (see chatsystem.env.stop)."""
    for message in run_checks():
        if isinstance(message, Error):
            env.stop(f"{message.msg} ({message.id})")
    url = env.without_password(env.read().database_url) or str(connection.settings_dict["NAME"])
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        reason = error.args[-1] if error.args else error
        env.stop(f"the database at {url} cannot be reached: {reason}")
    finally:
        connection.close()
    if pending := unapplied_migrations():
        env.stop(f"the database at {url} lacks migrations ({pending}): run manage.py migrate")


def unapplied_migrations() -> str:
    """The first migration that is missing in the database, or nothing."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    connection.close()
    return str(plan[0][0]) if plan else ""
