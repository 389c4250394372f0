"""Who gives numbers: whether database and Redis agree on it."""

from collections.abc import Iterator

from infra.redis_client import RedisUnavailable, redis_is_configured
from ingest.numbering.models import NumberingProcess, Source
from operations.audit.checks import Walk
from operations.audit.findings import Finding, error, info, unreachable
from operations.audit.redis_state import fence_and_epoch
from operations.audit.trusted import authority


def source_of_numbers(walk: Walk) -> Iterator[Finding]:
    """What the authority says, against what Redis remembers."""
    now = authority()
    if not redis_is_configured() or now is None:
        return
    walk.pause()
    try:
        fence, epoch = fence_and_epoch()
    except RedisUnavailable as away:
        yield unreachable("Redis", f"{away}; blocks, pending rows and flags are not checked")
        return
    if epoch > now.epoch:
        yield error(
            "numbering", (),
            f"Redis has given numbers in epoch {epoch}, the database knows of {now.epoch}: "
            "it is older than Redis; run new_epoch",
        )  # fmt: skip
    if now.source == Source.DATABASE:
        yield info("numbering", (), f"the database gives numbers since {now.since}: {now.reason}")
    elif fence < _highest_seen(now.fence):
        yield info("numbering", (), "Redis has lost data; a new epoch begins with the next request")
    if not now.is_drained:
        yield info("numbering", (), f"rows from before epoch {now.epoch} may still be queued")


def _highest_seen(fence: int) -> int:
    seen = NumberingProcess.objects.order_by("-fence").values_list("fence", flat=True).first()
    return max(fence, seen or 0)
