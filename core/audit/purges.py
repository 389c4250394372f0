"""Rows that were purged and are there all the same."""

from collections.abc import Iterator

from django.utils import timezone

from core.accept.purged import JOB
from core.audit.findings import Finding, error, info
from core.audit.stats import children
from core.models import Job
from core.rows import Key, Kind


def check_purge(kind: Kind, parent: Key, through: int) -> Iterator[Finding]:
    """Whether nothing is left of what was purged, up to this number."""
    number = kind.key_fields[-1]
    left = children(kind, parent).filter(**{f"{number}__lte": through}).count() if through else 0
    if not left:
        return
    what = f"{left} {kind.name} up to {through} are stored, where all were purged"
    if Job.objects.filter(name=JOB, held_until__gt=timezone.now()).exists():
        yield info("purges", parent, f"{what}: a purge is under way")
    else:
        yield error("purges", parent, f"{what}: a purge was ended, run it again")
