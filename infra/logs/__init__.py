"""Logs: a closed list of events (`events`), said with fields, by `get_logger(__name__)`.

Nothing is logged for a request or a task that succeeds. What a line may not tell is kept out of it
in one place, wherever it comes from: secrets (`redaction`), texts of errors that may quote what
clients sent (`errors`), and control characters (`formatting`).
"""

import structlog

from infra.logs.events import Event

__all__ = ["Event", "get_logger"]

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
    """The logger of this module; each of its lines is an Event and its fields."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
