"""What machines ask: `/health/live`, `/health/ready` and `/metrics`.

All parts are probed in parallel with short limits, so a dead part delays the answer by its limit
and not by the sum. The service is down if reads or creates do not work: reads need the database;
creates need its writes, or everything that replaces them for a while. Any other failure degrades
it. Operators see each part and the metrics, everybody else only the status.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from hmac import compare_digest
from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import extend_schema
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry
from rest_framework.request import Request

from api.problems import problem
from api.views import ApiView, json_response
from infra.addresses import networks
from infra.logs import Event, get_logger
from infra.metrics import collect_all
from infra.timeouts import HEALTH_ESSENTIAL_SECONDS, HEALTH_SECONDS
from operations.gauges import read_gauges
from operations.probes import ParallelCalls, ProbeFailed, probes

_SCHEME = "Bearer "


def is_operator(request: HttpRequest) -> bool:
    """Whether OPERATOR_NETWORKS or METRICS_TOKEN let the request in.

    The address is that of the connection, and no header is trusted: behind a proxy on the same
    machine every client has the proxy's address. Without either setting nobody is an operator.
    """
    return _is_in_networks(
        request.META.get("REMOTE_ADDR", ""), settings.ENVIRONMENT.operators_from
    ) or _has_token(request.META.get("HTTP_AUTHORIZATION", ""))


def _has_token(header: str) -> bool:
    token = settings.ENVIRONMENT.metrics_token
    given = header.removeprefix(_SCHEME)
    return bool(token and given != header) and compare_digest(
        given.encode("utf-8", "backslashreplace"), token.encode()
    )


@lru_cache(maxsize=1000)
def _is_in_networks(text: str, allowed: str) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in network for network in networks(allowed))


logger = get_logger(__name__)

READS, WRITES = "database", "database_writes"
#: If all of these work, creates are accepted for a while without writes to the database.
ACCEPTING = frozenset({"redis", "numbering", "rabbitmq"})

_calls: ParallelCalls[Mapping[str, int] | None] = ParallelCalls("health", max_threads=16)


class OpenView(ApiView):
    """A view for machines without a key: no authentication, no rate limit."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    database_methods = ()


@extend_schema(exclude=True)
class Live(OpenView):
    """The process answers."""

    suspendable_methods = ("GET", "HEAD")

    def get(self, request: Request) -> HttpResponse:
        """Always 200: restarting the process does not help while the database is down."""
        return json_response({"status": "ok"})


@extend_schema(exclude=True)
class Ready(OpenView):
    """The service can be used, possibly with some parts failing."""

    def get(self, request: Request) -> HttpResponse:
        """200 while creates and reads work, else 503; for operators with the state of each part."""
        parts = probe_parts()
        status = status_of(parts)
        details = {"parts": parts} if is_operator(request._request) else {}
        return json_response(
            {"status": status, **details},
            status=503 if status == "down" else 200,
            headers={"Retry-After": "1"} if status == "down" else None,
        )


def status_of(parts: Mapping[str, Mapping[str, str | int]]) -> str:
    """The status of the service, from the states of its parts: ok, degraded or down."""
    working = {name for name, part in parts.items() if part["status"] == "ok"}
    if READS not in working or not (WRITES in working or working >= ACCEPTING):
        return "down"
    return "ok" if len(working) == len(parts) else "degraded"


def probe_parts() -> dict[str, dict[str, str | int]]:
    """The state of each part that is switched on."""
    parts = probes()
    limits = {
        name: HEALTH_ESSENTIAL_SECONDS if name in (READS, WRITES) else HEALTH_SECONDS
        for name in parts
    }
    answers = _calls.run(parts, limits)
    return {name: _part_state(name, answers[name]) for name in parts}


def _part_state(name: str, answer: Mapping[str, int] | Exception | None) -> dict[str, str | int]:
    if not isinstance(answer, Exception):
        return {"status": "ok", **(answer or {})}
    logger.warning(Event.PART_FAILING, part=name, error=answer)
    reason = {"reason": str(answer)} if isinstance(answer, ProbeFailed) else {}
    return {"status": "failing", **reason}


class _AllMetrics(Collector):
    def collect(self) -> Iterable[Metric]:
        return [*collect_all(), *read_gauges()]

    def describe(self) -> Iterable[Metric]:
        return []


_registry = CollectorRegistry()
_registry.register(_AllMetrics())


@extend_schema(exclude=True)
class MetricsView(OpenView):
    """The metrics in the Prometheus format, for operators only."""

    def get(self, request: Request) -> HttpResponse:
        """All metrics, within a second even if services are down."""
        if not is_operator(request._request):
            return problem(request, 403, "For operators: see METRICS_TOKEN and OPERATOR_NETWORKS.")
        encode, content_type = choose_encoder(request.META.get("HTTP_ACCEPT", ""))
        return HttpResponse(encode(_registry), content_type=content_type)
