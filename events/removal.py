"""Removes old events, and restarts the logs after a restore of the database.

Within an application rows are inserted in the order of their event numbers, under its lock. So the
order of primary keys removes the lowest numbers first, and what is left has no gap.
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import takewhile

from django.db.models import F

from applications.models import Application
from events.models import ApplicationEvent
from infra.database import in_transaction
from infra.natural_keys import batches_by_pk, by_pk

#: Events removed in one transaction, at most.
ROWS = 1000
APPLICATIONS = 200
#: Far more events than an application has in the time since a backup.
LOST_NUMBERS = 10**9


def remove_before(before: datetime) -> Iterator[int]:
    """Remove events older than this; yields the number of each transaction.

    It can be interrupted and run again. Raises OperationalError.
    """
    events = ApplicationEvent.objects.order_by("pk")
    while True:
        oldest = list(events.values_list("pk", "created_at")[:ROWS])
        old = [pk for pk, _ in takewhile(lambda one: one[1] < before, oldest)]
        if not old:
            return
        in_transaction(events.filter(pk__lte=old[-1]).order_by().delete)
        yield len(old)


def restart_logs() -> None:
    """Begin all logs anew, above all numbers that clients may know.

    A restored database lacks the newest events. Their numbers must not be given again: a client
    that knows them would miss the new ones. As it is, it gets an error and knows why.
    """
    for page in batches_by_pk(Application.objects.only("token"), APPLICATIONS):
        rows = Application.objects.filter(by_pk(page))
        in_transaction(lambda: rows.update(last_event=F("last_event") + LOST_NUMBERS))  # noqa: B023 - called at once
    while ids := list(ApplicationEvent.objects.order_by("pk").values_list("pk", flat=True)[:ROWS]):
        in_transaction(ApplicationEvent.objects.filter(pk__lte=ids[-1]).delete)
