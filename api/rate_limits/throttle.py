"""Limits of the API's routes (RATE_LIMIT), by DRF's throttling: who is counted, and what is said.

DRF throttles what it has let in, so that who is refused before is counted where errors become
answers: guessing keys is limited too, by the address it comes from. With the setting empty nothing
of this happens.
"""

from collections.abc import Sequence

from django.conf import settings
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from api.rate_limits.gcra import Verdict, parse_rate
from api.rate_limits.limiter import limiter
from infra.addresses import network_of

#: Where the environment of a request keeps what was said of it. No header has such a name.
_VERDICT = "chatsystem.rate_limit"


def client_name(request: Request) -> str:
    """Whom to count the request under: who has a key by that, anybody else by the address."""
    # `request.auth` would authenticate, and once more a request on which that has failed.
    if vars(request).get("_auth") is not None:
        return f"key:{request.user}"
    return f"address:{network_of(request._request.META.get('REMOTE_ADDR', ''))}"


class RateLimit(BaseThrottle):
    """Counts a request, and says in the headers of its answer how much is left."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Whether it is within the limit. A request that was judged by its head is counted then."""
        environ = request._request.META
        verdict: Verdict | None = environ.get(_VERDICT)
        if verdict is None:
            rate = parse_rate(settings.ENVIRONMENT.rate_limit)
            verdict = environ[_VERDICT] = limiter(rate).ask(client_name(request))
        self._verdict = verdict
        view.headers.update(_limit_headers(self._verdict))
        return self._verdict.admitted

    def wait(self) -> float:
        """Seconds until it is worth another try."""
        return self._verdict.retry_seconds


def _limit_headers(verdict: Verdict) -> dict[str, str]:
    return {
        "RateLimit-Limit": str(verdict.rate.limit),
        "RateLimit-Remaining": str(verdict.remaining),
        "RateLimit-Reset": str(verdict.reset_seconds),
    }


class ThrottledView(APIView):
    """Counts each request once, whether it is let in or not."""

    throttle_classes: Sequence[type[BaseThrottle]] = (RateLimit,)
    _is_counted = False

    def get_throttles(self) -> list[BaseThrottle]:
        """None while no limit is set."""
        return super().get_throttles() if settings.ENVIRONMENT.rate_limit else []

    def check_throttles(self, request: Request) -> None:
        """Raises Throttled."""
        self._is_counted = True
        super().check_throttles(request)

    def handle_exception(self, exc: Exception) -> Response:
        """The answer to the error, or 429 where that came before the counting."""
        if not self._is_counted:
            try:
                self.check_throttles(self.request)
            except Throttled as throttled:
                exc = throttled
        return super().handle_exception(exc)
