"""Whether the service works, and which of its parts do.

Each configured part is asked with a short limit, all at once, so that a dead one delays the answer
by its limit and not by the sum. Creates and reads need the database; the rest only degrades.
"""

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Lock

from django.conf import settings
from django.db import connection
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from core.broker.connection import connect, drop
from core.database import ask_database
from core.http.views import ApiView
from core.models import DeadLetter
from core.numbering.authority import read_authority
from core.numbering.models import Source
from core.timeouts import HEALTH_PART_SECONDS, HEALTH_SECONDS

logger = logging.getLogger(__name__)

ESSENTIAL = frozenset({"database"})

#: So many dead letters are counted; of more it is enough to know that there are.
COUNTED = 1000

#: Raises when the part fails; may have something to say about it.
Probe = Callable[[], Mapping[str, int] | None]

_probing = ThreadPoolExecutor(max_workers=8, thread_name_prefix="health")
#: The last question to each part. One that hangs is asked no second time meanwhile: else its
#: questions would take all threads, and what is well would be called failing.
_asked: dict[str, Future[Mapping[str, int] | None]] = {}
_asking = Lock()


class _OpenView(ApiView):
    """Asked by machines that have no key."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()


@extend_schema(exclude=True)
class Live(_OpenView):
    """The process answers."""

    def get(self, request: Request) -> Response:
        """Always 200: whoever restarts the process for a dead database helps nobody."""
        return Response({"status": "ok"})


@extend_schema(exclude=True)
class Ready(_OpenView):
    """The service can be used, possibly with parts missing."""

    def get(self, request: Request) -> Response:
        """200 while creates and reads work, else 503; each part by name."""
        parts = ask_parts()
        failing = {name for name, part in parts.items() if part["status"] != "ok"}
        status = "down" if failing & ESSENTIAL else "degraded" if failing else "ok"
        return Response(
            {"status": status, "parts": parts},
            status=503 if status == "down" else 200,
            headers={"Retry-After": "1"} if status == "down" else None,
        )


def ask_parts() -> dict[str, dict[str, str | int]]:
    """The state of each part that is switched on."""
    with _asking:
        asked = {name: _ask(name, probe) for name, probe in _probes().items()}
    wait(asked.values(), timeout=HEALTH_SECONDS)
    return {name: _outcome(name, answer) for name, answer in asked.items()}


def _ask(name: str, probe: Probe) -> "Future[Mapping[str, int] | None]":
    if name not in _asked or _asked[name].done():
        _asked[name] = _probing.submit(probe)
    return _asked[name]


def _outcome(name: str, answer: "Future[Mapping[str, int] | None]") -> dict[str, str | int]:
    if not answer.done():
        logger.warning("%s did not answer within %s s", name, HEALTH_SECONDS)
        return {"status": "failing"}
    if error := answer.exception():
        logger.warning("%s is failing: %s", name, error)
        return {"status": "failing"}
    return {"status": "ok", **(answer.result() or {})}


def _probes() -> Mapping[str, Probe]:
    environment = settings.ENVIRONMENT
    switched_on = {
        "database": (ask_database, True),
        "dead_letters": (_count_dead_letters, True),
        "redis": (_ask_redis, environment.redis_url),
        "numbering": (_ask_numbering, environment.redis_url),
        "rabbitmq": (_ask_rabbitmq, environment.broker_url),
        "elasticsearch": (_ask_elasticsearch, environment.elasticsearch_url),
        "search_index": (_ask_search_index, environment.elasticsearch_url),
    }
    return {name: probe for name, (probe, on) in switched_on.items() if on}


# The clients are imported where they are used: a process that has no such service would start a
# second later and carry them all its life.


def _ask_numbering() -> None:
    try:
        authority = read_authority()
        if authority.source != Source.REDIS:
            raise RuntimeError(f"the database gives numbers since {authority.since}")
    finally:
        connection.close()


def _count_dead_letters() -> Mapping[str, int]:
    """They need an operator; the service does without."""
    try:
        return {"count": DeadLetter.objects.values("pk")[:COUNTED].count()}
    finally:
        connection.close()


def _ask_redis() -> None:
    import redis  # noqa: PLC0415 - see above

    url = settings.ENVIRONMENT.redis_url
    seconds = HEALTH_PART_SECONDS
    with redis.Redis.from_url(
        url, socket_timeout=seconds, socket_connect_timeout=seconds
    ) as client:
        client.ping()


def _ask_rabbitmq() -> None:
    # Without the farewell, for whose answer a broker that hangs would let it wait for ever.
    drop(connect(HEALTH_PART_SECONDS))


def _ask_elasticsearch() -> None:
    from elasticsearch import Elasticsearch  # noqa: PLC0415 - see above

    url = settings.ENVIRONMENT.elasticsearch_url
    with Elasticsearch(url, request_timeout=HEALTH_PART_SECONDS, max_retries=0) as client:
        client.info()


def _ask_search_index() -> None:
    from search.index.layout import layout  # noqa: PLC0415 - see above

    if layout().live is None:
        raise RuntimeError("the search index is not complete, the database answers")
