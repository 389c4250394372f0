"""Logs: a closed list of events (`events`) with fields, written by `get_logger(__name__)`.

A request or a task that succeeds is not logged. `formatting` keeps secrets, control characters, and
texts of errors that may quote clients out of every line.
"""

from contextvars import ContextVar

import structlog

from infra.logs.events import Event

__all__ = ["Event", "get_logger", "request_id_var"]

#: The id of the request that this thread or task is handling; it is in each log line.
request_id_var: ContextVar[str] = ContextVar("request_id", default="-")

structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=True,
)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module; each of its lines is an Event with fields."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
