"""What is wrong with search, for operators: whatever makes a search miss the index, or find less.

It asks what searches and the search worker ask, so every state in which one of them is refused is
seen here too, whatever Elasticsearch says of its own health.
"""

from datetime import timedelta

from django.db import connection
from django.utils import timezone

from core.timeouts import HEALTH_PART_SECONDS
from search.errors import IndexUnusable, NoIndex
from search.models import BacklogEntry

#: In ordinary running a change is indexed within two seconds.
BEHIND = timedelta(seconds=15)


def ailment() -> str | None:
    """One sentence, or None while searches are answered by an index that is in step.

    Raises OperationalError.
    """
    from search.index.layout import layout  # noqa: PLC0415 - see search.index
    from search.index.querying import breaker, require_readable  # noqa: PLC0415

    try:
        require_readable(HEALTH_PART_SECONDS)
        if breaker().is_open:
            return "this process leaves Elasticsearch alone, the database answers searches"
        layout(HEALTH_PART_SECONDS)
    except NoIndex:
        return "the search index is not complete, the database answers searches"
    except IndexUnusable as error:
        return f"the search index is away, or refuses what it does otherwise: {error}"
    return _lag()


def _lag() -> str | None:
    try:
        oldest = BacklogEntry.objects.order_by("pk").values_list("recorded_at", flat=True).first()
    finally:
        connection.close()
    if oldest is None or oldest > timezone.now() - BEHIND:
        return None
    return f"changes since {oldest} are not in the search index"
