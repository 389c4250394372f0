"""One trial of each part of the service, raising what is wrong with it; quick to fail.

A part is tried by what requests do with it: many servers that answer a ping refuse every write.
What requests have met lately is a part, too.

The clients are imported where they are used: a process that has no such service would start a
second later and carry them all its life.
"""

from collections.abc import Callable, Mapping

from django.conf import settings
from django.db import connection

from chatsystem.schedule import scheduled
from core.broker.depth import states_of
from core.broker.publisher import try_to_publish
from core.broker.queues import WORK
from core.database import ask_database, try_to_write
from core.http.experience import experience
from core.models import DeadLetter
from core.numbering.authority import read_authority
from core.numbering.models import Source
from core.timeouts import HEALTH_PART_SECONDS
from search.health import ailment

#: So many dead letters are counted; of more it is enough to know that there are.
COUNTED = 1000

#: Raises when the part fails; may have something to say about it.
Probe = Callable[[], Mapping[str, int] | None]


class NotWell(Exception):
    """The part answers and does not do its work; the message is for operators."""


def probes() -> Mapping[str, Probe]:
    """Those of the parts that are switched on."""
    environment = settings.ENVIRONMENT
    switched_on = {
        "database": (ask_database, True),
        "database_writes": (try_to_write, True),
        "requests": (_look_at_requests, True),
        "dead_letters": (_count_dead_letters, True),
        "schedule": (_look_at_schedule, True),
        "redis": (_ask_redis, environment.redis_url),
        "numbering": (_ask_numbering, environment.redis_url),
        "rabbitmq": (try_to_publish, environment.broker_url),
        "workers": (_ask_for_workers, environment.broker_url),
        "elasticsearch": (ask_elasticsearch, environment.elasticsearch_url),
        "search_index": (_ask_search_index, environment.elasticsearch_url),
    }
    return {name: probe for name, (probe, on) in switched_on.items() if on}


def _ask_numbering() -> None:
    try:
        authority = read_authority()
        if authority.source != Source.REDIS:
            raise NotWell(f"the database gives numbers since {authority.since}")
    finally:
        connection.close()


def _count_dead_letters() -> Mapping[str, int]:
    """They need an operator; the service does without."""
    try:
        return {"count": DeadLetter.objects.values("pk")[:COUNTED].count()}
    finally:
        connection.close()


def _look_at_schedule() -> None:
    """Whether beat sends the scheduled work, and somebody does it."""
    try:
        late = [one.name for one in scheduled() if one.is_late]
    finally:
        connection.close()
    if late:
        raise NotWell(f"late: {', '.join(late)}")


def _look_at_requests() -> None:
    if failing := experience.failing():
        raise NotWell(f"answered with errors of the service only: {', '.join(failing)}")


def _ask_redis() -> None:
    import redis  # noqa: PLC0415 - see above

    from core.redis import trial  # noqa: PLC0415 - see above

    url = settings.ENVIRONMENT.redis_url
    with redis.Redis.from_url(
        url, socket_timeout=HEALTH_PART_SECONDS, socket_connect_timeout=HEALTH_PART_SECONDS
    ) as client:
        trial.try_to_write(client)


def _ask_for_workers() -> None:
    """Whether each queue of work has somebody who takes from it."""
    deserted = [name for name, state in states_of(*WORK).items() if not state.consumers]
    if deserted:
        raise NotWell(f"no worker takes from: {', '.join(deserted)}")


def ask_elasticsearch() -> None:
    """Raises what its client raises."""
    from elasticsearch import Elasticsearch  # noqa: PLC0415 - see above

    url = settings.ENVIRONMENT.elasticsearch_url
    with Elasticsearch(url, request_timeout=HEALTH_PART_SECONDS, max_retries=0) as client:
        client.info()


def _ask_search_index() -> None:
    if (reason := ailment()) is not None:
        raise NotWell(reason)
