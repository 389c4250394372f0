"""Metrics of requests by method, route template and status, and the work that keeps failing.

A probe sends one query to a service, while requests send many. So if all requests of a kind fail,
for whatever reason, this process is unhealthy.
"""

import time
from collections.abc import Callable
from functools import cache

from django.contrib.admindocs.views import simplify_regex
from django.http import HttpRequest, HttpResponseBase
from prometheus_client import Counter

from infra.metrics import registry

REQUESTS = Counter(
    "chatsystem_http_requests",
    "Requests with a response.",
    ("method", "route", "status"),
    registry=registry,
)
REQUEST_SECONDS = Counter(
    "chatsystem_http_request_seconds",
    "Time from the arrival of each request at the application to its response, in total.",
    ("method", "route"),
    registry=registry,
)

#: One failure is no outage. Failures over this time, with no success in between, are one.
FAILING_SECONDS = 3.0
#: A failure that has not recurred for this time is forgotten.
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
_METHODS = frozenset({*_KINDS, "OPTIONS"})
_SERVER_ERROR, _CLIENT_ERROR = 500, 400


class RecentFailures:
    """The first and the last failure of each kind of work since its last success."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed: dict[str, tuple[float, float]] = {}

    def note(self, method: str | None, path: str, status: int) -> None:
        """Note the status of a response. Errors of clients do not count as failures."""
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
        """Return the kinds of work that are failing now."""
        recent = self._clock() - FORGOTTEN_SECONDS
        return sorted(
            kind
            for kind, (first, last) in [*self._failed.items()]
            if last - first >= FAILING_SECONDS and last > recent
        )


#: The failures of this process.
recent_failures = RecentFailures()


def count_request(request: HttpRequest, status: int, seconds: float) -> None:
    """Count a request by the status of its response, and add its duration."""
    match = request.resolver_match
    method = request.method if request.method in _METHODS else "other"
    increment, add_seconds = _counters(method, match.route if match else "", status)
    increment()
    add_seconds(seconds)
    recent_failures.note(request.method, request.path_info, status)


class CountRequests:
    """The outermost middleware of pages. The API's handler calls count_request itself."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Handle the request, and count it."""
        began = time.perf_counter()
        response = self._get_response(request)
        count_request(request, response.status_code, time.perf_counter() - began)
        return response


@cache
def _counters(method: str, route: str, status: int) -> tuple[Callable[..., None], ...]:
    """Return the functions that increment the two counters of one combination."""
    # Static files and unknown paths have no route of their own.
    template = simplify_regex(route).rstrip("/") if route else "other"
    count = REQUESTS.labels(method, template, str(status))
    return count.inc, REQUEST_SECONDS.labels(method, template).inc
