"""RATE_LIMIT as a throttle of DRF: the client's name, and the RateLimit headers of the response."""

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from api.rate_limits.gcra import Verdict, parse_rate
from api.rate_limits.limiter import limiter
from infra.addresses import network_of

#: The verdict's key in the environ of a request. No header can have this name.
_VERDICT = "chatsystem.rate_limit"


def client_name(request: Request) -> str:
    """Return the name under which the client's requests are counted: its key or its address."""
    # Reading `request.auth` would authenticate, even a request whose authentication has failed.
    if vars(request).get("_auth") is not None:
        return f"key:{request.user}"
    return f"address:{network_of(request.META.get('REMOTE_ADDR', ''))}"


class RateLimit(BaseThrottle):
    """Counts a request, and puts what is left of the limit into the headers of the response."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Whether the request is within the limit. Each request counts once.

        A request whose head was checked before its body arrived has its verdict already.
        """
        environ = request.META
        verdict: Verdict | None = environ.get(_VERDICT)
        if verdict is None:
            rate = parse_rate(settings.ENVIRONMENT.rate_limit)
            verdict = environ[_VERDICT] = limiter(rate).ask(client_name(request))
        self._verdict = verdict
        view.headers.update(
            {
                "RateLimit-Limit": str(verdict.rate.limit),
                "RateLimit-Remaining": str(verdict.remaining),
                "RateLimit-Reset": str(verdict.reset_seconds),
            }
        )
        return self._verdict.admitted

    def wait(self) -> float:
        """Return the seconds until another try can succeed."""
        return self._verdict.retry_seconds
