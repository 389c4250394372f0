"""Who gives numbers: whether database and Redis agree on it."""

from collections.abc import Iterator

from core.audit.checks import Walk
from core.audit.findings import Finding, error, info, unreachable
from core.audit.trusted import authority
from core.numbering.models import NumberingProcess, Source
from core.redis.client import is_configured
from core.redis.guard import NoRedis
from core.redis.inspection import fence_and_epoch


def source_of_numbers(walk: Walk) -> Iterator[Finding]:
    """What the authority says, against what Redis remembers."""
    now = authority()
    if not is_configured() or now is None:
        return
    walk.pause()
    try:
        fence, epoch = fence_and_epoch()
    except NoRedis as away:
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
