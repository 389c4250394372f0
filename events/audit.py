"""The audit of the log: event numbers of an application have no gaps.

Events may be written and removed meanwhile, so each statement counts what it sees, and only the
lowest events may be missing.
"""

from collections.abc import Iterator, Mapping, Sequence

from django.db.models import Count, Max, Min

from applications.models import Application
from events.models import ApplicationEvent
from operations.audit.checks import Check, Cursor, Finding, error

APPLICATIONS_PAGE = 200
#: One statement counts at most about this many events.
PIECE = 100_000


def run(cursor: Cursor) -> Iterator[Finding]:
    """Each number from the lowest kept event of an application to its newest one has its event."""
    applications = Application.objects.order_by("token").values_list("token", "last_event")
    after = str(cursor.after[0]) if cursor.after else ""
    while page := dict(applications.filter(token__gt=after)[:APPLICATIONS_PAGE]):
        lowest = _lowest(list(page))
        for token, last in page.items():
            if token in lowest:
                yield from _gaps(cursor, token, lowest[token], last)
        after = max(page)
        cursor.reached([after], len(page))


def _lowest(tokens: Sequence[str]) -> Mapping[str, int]:
    """The lowest numbers of the applications that have events, read from the index alone."""
    events = ApplicationEvent.objects.filter(application_token__in=tokens).order_by()
    return dict(events.values_list("application_token").annotate(Min("event_number")))


def _gaps(cursor: Cursor, token: str, lowest: int, last: int) -> Iterator[Finding]:
    events = ApplicationEvent.objects.filter(application_token=token).order_by()
    begun = False  # until an event is found: the lowest ones may be removed meanwhile
    for first in range(lowest, last + 1, PIECE):
        end = min(first + PIECE - 1, last)
        found = events.filter(event_number__gte=first, event_number__lte=end).aggregate(
            n=Count("pk"), low=Min("event_number")
        )
        if begun or found["n"]:
            begins = first if begun else found["low"]
            missing = end - begins + 1 - found["n"]
            if missing:
                what = f"{missing} of the events {begins} to {end} are missing"
                yield error("events", (token,), what)
        begun = begun or bool(found["n"])
        cursor.pause()
    highest = events.aggregate(high=Max("event_number"))["high"] or 0
    now = Application.objects.values_list("last_event", flat=True).filter(token=token).first()
    if now is not None and highest > now:
        yield error("events", (token,), f"event {highest} is above the last number {now}")


CHECK = Check("events", run)
