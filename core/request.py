"""The id of the request under way: in its answer, and in whatever is logged for it."""

from contextvars import ContextVar

#: Outside of a request there is none.
NONE = "-"

current: ContextVar[str] = ContextVar("request_id", default=NONE)


def current_request_id() -> str:
    """The id of the request this thread is answering, or NONE outside of one."""
    return current.get()
