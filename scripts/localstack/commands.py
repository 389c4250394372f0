"""The command lines of the application's own processes, and the limits of those that end."""

from localstack.layout import Layout

MIGRATE_LIMIT_S = 600


def migrate(layout: Layout) -> tuple[str, ...]:
    """Run to its end before anything else of the application starts."""
    return (*_manage(layout), "migrate", "--noinput")


def web(layout: Layout, port: int) -> tuple[str, ...]:
    """The API; WEB_CONCURRENCY processes of WEB_THREADS threads."""
    return (*_manage(layout), "serve", "--host", "127.0.0.1", "--port", str(port))


def worker(layout: Layout, number: int) -> tuple[str, ...]:
    """One Celery worker with its pool."""
    name = f"worker{number}@%h"
    return (*_celery(layout), "worker", "--loglevel", "INFO", "--hostname", name)


def beat(layout: Layout, schedule: str) -> tuple[str, ...]:
    """The one clock of the periodic tasks."""
    return (*_celery(layout), "beat", "--loglevel", "INFO", "--schedule", schedule)


def _manage(layout: Layout) -> tuple[str, ...]:
    return (f"{layout.binaries}/python", f"{layout.checkout}/manage.py")


def _celery(layout: Layout) -> tuple[str, ...]:
    return (f"{layout.binaries}/celery", "-A", "chatsystem")
