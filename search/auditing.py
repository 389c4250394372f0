"""Index = table, as a part of an audit."""

from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from infra.jobs import JobIsRunning
from messages_app.models import Message
from operations.audit.checks import Cursor
from operations.audit.findings import Finding, error, info, unreachable
from search.checking import StillBehind, check
from search.errors import IndexUnusable
from search.index.layout import document_name, layout
from search.models import BacklogEntry

CHECK = "index"
#: The search worker looks into the backlog at least each ten seconds.
LATE = timedelta(minutes=5)


def index_equals_table(cursor: Cursor) -> Iterator[Finding]:
    """Every message of which the index has something else than the table."""
    if not settings.ENVIRONMENT.elasticsearch_url:
        yield info(CHECK, (), "Elasticsearch is switched off: the database answers searches")
        return
    try:
        yield from _waiting_too_long()
        if layout().live is None:
            if Message.objects.exists():
                yield info(CHECK, (), "no index is complete: the database answers searches")
            return
        yield from _differences(cursor)
    except (IndexUnusable, JobIsRunning) as failure:
        yield unreachable("the search index", failure)
    except StillBehind as behind:
        yield info(CHECK, (), f"not compared to its end: {behind}")


def _differences(cursor: Cursor) -> Iterator[Finding]:
    passed = 0

    def notice(now: int) -> None:
        nonlocal passed
        cursor.reached(None, now - passed)
        passed = now

    for difference in check(notice):
        detail = f"message {document_name(difference.key)}: its document is {difference.kind}"
        yield error(CHECK, difference.key[:2], detail)


def _waiting_too_long() -> Iterator[Finding]:
    oldest = BacklogEntry.objects.order_by("pk").first()
    if oldest is not None and oldest.recorded_at < timezone.now() - LATE:
        yield error(
            CHECK, (), f"changes of {oldest.recorded_at} are not indexed: is the worker running?"
        )
