"""Requests counted by method, route and status: the route as a template, so that they are few."""

import time
from collections.abc import Callable
from functools import cache

from django.contrib.admindocs.views import simplify_regex
from django.http import HttpRequest, HttpResponseBase

from core import metrics
from core.http.experience import experience

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def count_request(request: HttpRequest, status: int, seconds: float) -> None:
    """This request was answered so; it took that long."""
    match = request.resolver_match
    method = request.method if request.method in _METHODS else "other"
    count, add = _counters(method, match.route if match else "", status)
    count()
    add(seconds)
    experience.note(request.method, request.path_info, status)


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
