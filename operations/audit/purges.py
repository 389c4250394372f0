"""Rows that were purged and are there all the same."""

from collections.abc import Iterator

from django.utils import timezone

from infra.models import Job
from ingest.late_rows import PURGE_JOB
from ingest.records import Key, RecordType
from operations.audit.findings import Finding, error, info
from operations.audit.stats import children


def check_purge(kind: RecordType, parent: Key, through: int) -> Iterator[Finding]:
    """Whether nothing is left of what was purged, up to this number."""
    number = kind.key_fields[-1]
    left = children(kind, parent).filter(**{f"{number}__lte": through}).count() if through else 0
    if not left:
        return
    what = f"{left} {kind.name} up to {through} are stored, where all were purged"
    if Job.objects.filter(name=PURGE_JOB, held_until__gt=timezone.now()).exists():
        yield info("purges", parent, f"{what}: a purge is under way")
    else:
        yield error("purges", parent, f"{what}: a purge was ended, run it again")
