"""Checks before a process starts: one sentence and the end, instead of a traceback.

`manage.py serve`, gunicorn, the Celery workers and beat call it.
"""

from typing import NoReturn
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import Error, run_checks
from django.db import Error as DatabaseError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from chatsystem.installation import is_open, stop
from infra.logs import Event, get_logger

logger = get_logger(__name__)


def preflight() -> None:
    """Return if the process may start; else end it (chatsystem.installation.stop)."""
    for message in run_checks():
        if isinstance(message, Error):
            stop(f"{message.msg} ({message.id})")
    if is_open(settings.VAR_DIR):
        logger.warning(Event.FOLDER_OPEN, folder=str(settings.VAR_DIR))
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (DatabaseError, TypeError) as error:  # TypeError: an unknown option in the URL
        stop_for_database("cannot be reached", error)
    finally:
        connection.close()
    if pending := unapplied_migrations():
        stop_for_database("lacks migrations", f"{pending}; run manage.py migrate")


def stop_for_database(what: str, why: object) -> NoReturn:
    """End the process because of the database."""
    where = settings.ENVIRONMENT.database_url or f"sqlite:///{connection.settings_dict['NAME']}"
    reason = why.args[-1] if isinstance(why, Exception) and why.args else why
    stop(f"the database at {_without_password(where)} {what}: {reason}")


def unapplied_migrations() -> str:
    """The first migration that is missing in the database, or an empty text."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    connection.close()
    return str(plan[0][0]) if plan else ""


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    if not parts.password:
        return url
    return url.replace(f":{parts.password}@", ":***@")
