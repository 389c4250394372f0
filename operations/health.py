"""Whether the service works, and which of its parts do.

Each configured part is asked with a short limit, all at once, so that a dead one delays the answer
by its limit and not by the sum. The service is down where reads or creates do not work: reads need
the database, creates need its writes or all that does without them for a while. The rest degrades.
Operators are told of each part (operations.operator_access), anybody else the status alone.
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
from operations.probes import NotWell, ParallelQuestions, probes

logger = get_logger(__name__)

READS, WRITES = "database", "database_writes"
#: Where all of these work, creates are accepted without the database's writes, for a while.
ACCEPTING = frozenset({"redis", "numbering", "rabbitmq"})

_questions: ParallelQuestions[Mapping[str, int] | None] = ParallelQuestions("health", at_once=16)


class OpenView(ApiView):
    """Asked by machines that have no key."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    database_methods = ()


@extend_schema(exclude=True)
class Live(OpenView):
    """The process answers."""

    suspendable_methods = ("GET", "HEAD")

    def get(self, request: Request) -> HttpResponse:
        """Always 200: whoever restarts the process for a dead database helps nobody."""
        return json_response({"status": "ok"})


@extend_schema(exclude=True)
class Ready(OpenView):
    """The service can be used, possibly with parts missing."""

    def get(self, request: Request) -> HttpResponse:
        """200 while creates and reads work, else 503; to operators also each part by name."""
        parts = probe_parts()
        status = status_of(parts)
        details = {"parts": parts} if is_operator(request._request) else {}
        return json_response(
            {"status": status, **details},
            status=503 if status == "down" else 200,
            headers={"Retry-After": "1"} if status == "down" else None,
        )


def status_of(parts: Mapping[str, Mapping[str, str | int]]) -> str:
    """What the states of the parts make of the whole: ok, degraded or down."""
    working = {name for name, part in parts.items() if part["status"] == "ok"}
    if READS not in working or not (WRITES in working or working >= ACCEPTING):
        return "down"
    return "ok" if len(working) == len(parts) else "degraded"


def probe_parts() -> dict[str, dict[str, str | int]]:
    """The state of each part that is switched on."""
    asked = probes()
    limits = {
        name: HEALTH_ESSENTIAL_SECONDS if name in (READS, WRITES) else HEALTH_SECONDS
        for name in asked
    }
    answers = _questions.ask(asked, limits)
    return {name: _part_state(name, answers[name]) for name in asked}


def _part_state(name: str, answer: Mapping[str, int] | Exception | None) -> dict[str, str | int]:
    if not isinstance(answer, Exception):
        return {"status": "ok", **(answer or {})}
    logger.warning(Event.PART_FAILING, part=name, error=answer)
    reason = {"reason": str(answer)} if isinstance(answer, NotWell) else {}
    return {"status": "failing", **reason}
