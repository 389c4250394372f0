"""`/metrics`: the counters of all processes of this host, and the gauges of the services."""

from collections.abc import Iterable

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry
from rest_framework.request import Request

from api.problems import problem
from infra.metrics import collect_all
from operations.gauges import read_gauges
from operations.health import OpenView
from operations.operator_access import is_operator


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
