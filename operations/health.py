"""`/health/live` and `/health/ready`: whether the service works, and which parts do.

All parts are probed in parallel with short limits, so a dead part delays the answer by its limit
and not by the sum. The service is down if reads or creates do not work: reads need the database;
creates need its writes, or everything that replaces them for a while. Any other failure degrades
it. Operators see each part (operations.operator_access), everybody else only the status.
"""

from collections.abc import Mapping

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from api.responses import json_response
from api.views import ApiView
from infra.logs import Event, get_logger
from infra.timeouts import HEALTH_ESSENTIAL_SECONDS, HEALTH_SECONDS
from operations.operator_access import is_operator
from operations.probes import ParallelCalls, ProbeFailed, probes

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
