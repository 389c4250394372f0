"""A count that is shown, against the rows there are."""

from collections.abc import Iterator

from infra.redis_client import RedisUnavailable, redis_is_configured
from ingest.models import CountState, Parent
from ingest.records import Key, RecordType
from ingest.redis_keys import parent_name
from operations.audit.findings import Finding, error, info
from operations.audit.redis_state import is_flagged, numbered
from operations.audit.stats import Stats, stats_of
from operations.audit.trusted import authority
from operations.counts import count_of


def check_count(kind: RecordType, key: Key) -> Iterator[Finding]:
    """Whether the parent shows as many rows as it has, or will by the next count job."""
    parent = kind.parent_row(key).first()
    if parent is None:
        return
    field = count_of(kind.model).field
    rows = stats_of(kind, [parent]).get(key, Stats()).rows
    shown = getattr(parent, field)
    if shown == rows:
        return
    will_be_counted = _is_known_to_be_old(kind, parent)
    # A flag that was taken over meanwhile is here now, and what was counted has another version.
    again = kind.parent_row(key).first()
    if again is None or again.version != parent.version:
        return
    detail = f"{field} is {shown}, and there are {rows}"
    if will_be_counted or again.count_state != CountState.CURRENT:
        yield info("counts", key, f"{detail}: to be corrected by the next count job")
    else:
        yield error("counts", key, f"{detail}, and no job knows of it")


def _is_known_to_be_old(kind: RecordType, parent: Parent) -> bool:
    now = authority()
    if parent.count_state != CountState.CURRENT or (now is not None and now.needs_full_count):
        return True
    if not redis_is_configured():
        return False
    name = parent_name(parent.key)
    try:
        # A row that is stored is flagged by the step that takes it out of what pends.
        [seen] = numbered([name])
        return bool(seen.highest_pending) or is_flagged(kind.name, name)
    except RedisUnavailable:
        return True  # its flag may be there
