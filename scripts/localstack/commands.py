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
    """One Celery worker with its pool, which stores what was accepted and does nothing else."""
    return _worker(layout, f"worker{number}", "chats,messages")


def search(layout: Layout) -> tuple[str, ...]:
    """One that keeps the index in step, so that neither holds up the other."""
    return _worker(layout, "search", "search")


def background(layout: Layout) -> tuple[str, ...]:
    """One for all the rest, so that nothing of it holds up the others."""
    # Two at once, or a long count would hold up the sweeper.
    return (*_worker(layout, "background", "maintenance"), "--concurrency", "2")


def beat(layout: Layout, schedule: str) -> tuple[str, ...]:
    """The one clock of the periodic tasks."""
    return (*_celery(layout), "beat", "--loglevel", "INFO", "--schedule", schedule)


def _worker(layout: Layout, name: str, queues: str) -> tuple[str, ...]:
    command = (*_celery(layout), "worker", "--loglevel", "INFO", "--hostname", f"{name}@%h")
    return (*command, "--queues", queues, "--without-gossip", "--without-mingle")


def _manage(layout: Layout) -> tuple[str, ...]:
    return (f"{layout.binaries}/python", f"{layout.checkout}/manage.py")


def _celery(layout: Layout) -> tuple[str, ...]:
    # Without its banner, which is no line of a log.
    return (f"{layout.binaries}/celery", "--quiet", "-A", "chatsystem")
