"""The id of the request that this thread or task is handling; it is in each log line."""

from contextvars import ContextVar

#: The value outside of a request.
NO_REQUEST = "-"

request_id_var: ContextVar[str] = ContextVar("request_id", default=NO_REQUEST)
