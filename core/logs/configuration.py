"""What is logged and how, for `logging.config.dictConfig`: all of it to standard error."""

from collections.abc import Sequence
from typing import Any

OURS = ("api", "applications", "chats", "chatsystem", "core", "messages_app", "search")
#: What speaks of each request or task, or of what only the client did wrong.
QUIET = {
    # Each 4xx is the client's affair and in its answer; the server's own failures are logged.
    "django.request": "ERROR",
    "django.security": "ERROR",
    "django.security.DisallowedHost": "CRITICAL",
    # A line for each request; what fails is logged by who asked.
    "elastic_transport": "ERROR",
    # Two lines for each task otherwise; a task that fails is an event of ours.
    "celery.worker.strategy": "WARNING",
    "celery.app.trace": "CRITICAL",
    # A line each ten seconds.
    "celery.beat": "WARNING",
}


def configuration(*, as_json: bool, level: str, secrets: Sequence[str]) -> dict[str, Any]:
    """Our own lines from this level on; libraries from INFO on at the most.

    What libraries say for debugging may hold anything that passes through them.
    """
    of_libraries = "INFO" if level == "DEBUG" else level
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "one": {
                "()": "core.logs.formatting.formatter",
                "as_json": as_json,
                "secrets": secrets,
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "one"}},
        "root": {"handlers": ["stderr"], "level": of_libraries},
        "loggers": {
            **{name: {"level": level} for name in OURS},
            **{name: {"level": quiet} for name, quiet in QUIET.items()},
        },
    }
