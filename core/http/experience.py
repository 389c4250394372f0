"""What requests of the API have met lately: kinds of work that fail again and again.

A probe asks a service one question, and a request asks it many. So what all requests of a kind meet
is part of this process's health, whatever the reason.
"""

import time
from collections.abc import Callable

#: One failure is no outage; failures over so long, with no success in between, are.
FAILING_SECONDS = 3.0
#: What nobody has met again for so long says nothing about now.
FORGOTTEN_SECONDS = 30.0

_API = "/api/"
_SEARCH = "/search"
_KINDS = {
    "POST": "creates",
    "GET": "reads",
    "HEAD": "reads",
    "PUT": "edits",
    "PATCH": "edits",
    "DELETE": "edits",
}
_SERVER_ERROR, _CLIENT_ERROR = 500, 400


class Experience:
    """Of each kind of work the first and the last failure since it succeeded last."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed: dict[str, tuple[float, float]] = {}

    def note(self, method: str | None, path: str, status: int) -> None:
        """A request was answered so. Errors of clients say nothing of the service."""
        if not path.startswith(_API) or _CLIENT_ERROR <= status < _SERVER_ERROR:
            return
        is_search = path.rstrip("/").endswith(_SEARCH)
        kind = "searches" if is_search else _KINDS.get(method or "")
        if kind is None:
            return
        if status < _CLIENT_ERROR:
            self._failed.pop(kind, None)
            return
        now = self._clock()
        first, last = self._failed.get(kind, (now, now))
        self._failed[kind] = (first if now - last < FORGOTTEN_SECONDS else now, now)

    def failing(self) -> list[str]:
        """The kinds that fail now."""
        recent = self._clock() - FORGOTTEN_SECONDS
        return sorted(
            kind
            for kind, (first, last) in [*self._failed.items()]
            if last - first >= FAILING_SECONDS and last > recent
        )


#: What this process has met.
experience = Experience()
