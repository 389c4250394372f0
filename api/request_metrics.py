"""What requests of the API have met lately: kinds of work that fail again and again.

A probe asks a service one question, and a request asks it many. So what all requests of a kind meet
is part of this process's health, whatever the reason.

Requests counted by method, route and status: the route as a template, so that they are few.
"""

import time
from collections.abc import Callable
from functools import cache

from django.contrib.admindocs.views import simplify_regex
from django.http import HttpRequest, HttpResponseBase

from infra import metrics

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


class RecentFailures:
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
recent_failures = RecentFailures()


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def count_request(request: HttpRequest, status: int, seconds: float) -> None:
    """This request was answered so; it took that long."""
    match = request.resolver_match
    method = request.method if request.method in _METHODS else "other"
    count, add = _counters(method, match.route if match else "", status)
    count()
    add(seconds)
    recent_failures.note(request.method, request.path_info, status)


class CountRequests:
    """The outermost middleware of pages; the API's handler counts by itself."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer the request, and count it."""
        began = time.perf_counter()
        response = self._get_response(request)
        count_request(request, response.status_code, time.perf_counter() - began)
        return response


@cache
def _counters(method: str, route: str, status: int) -> tuple[Callable[..., None], ...]:
    """What adds to the two counters; found once for each of the few combinations."""
    # What has no route of its own is static files and addresses that do not exist.
    template = simplify_regex(route).rstrip("/") if route else "other"
    count = metrics.REQUESTS.labels(method, template, str(status))
    return count.inc, metrics.REQUEST_SECONDS.labels(method, template).inc
