"""All that follows the return of an older database, in the order in which it is safe."""

from collections.abc import Callable
from dataclasses import dataclass

from core.accept.sweeper import sweep
from core.numbering.examination import begin_epoch_by_hand
from core.numbering.models import NumberAuthority
from core.redis.client import is_configured
from core.redis.forgetting import forget_requests
from core.restoring.ceilings import raise_ceilings
from core.restoring.losses import record_losses
from core.restoring.quiet import StillInUse, await_quiet


@dataclass(frozen=True, slots=True)
class Restored:
    """The epoch that began; rows stored, ceilings raised, and numbers recorded as lost."""

    epoch: int
    stored: int
    raised: int
    lost: int


def make_good(reason: str, *, skip: int, notice: Callable[[int], object]) -> Restored:
    """Number on above all that is known and `skip` more; record what is lost; in a new epoch.

    `notice` is told how many parents were passed. What was done stays done if it is interrupted,
    and it may be run again. Raises StillInUse, BrokerAway, NoRedis, core.jobs.JobIsRunning, and
    OperationalError.
    """
    await_quiet()
    stored = _store_pending() if is_configured() else 0
    raised = raise_ceilings(skip, notice)
    lost = record_losses(reason, notice)
    if is_configured():
        # A repeat of a lost request is to be done again, not answered as if its row were there.
        forget_requests()
    epoch = begin_epoch_by_hand(reason)
    # Nothing is queued, so whatever is found nowhere is nowhere.
    NumberAuthority.objects.filter(epoch=epoch).update(is_drained=True)
    return Restored(epoch, stored, raised, lost)


def _store_pending() -> int:
    swept = sweep(of_any_age=True)
    if not swept.is_complete or swept.left:
        raise StillInUse("More rows pend than one sweep stores: run this again.")
    return swept.stored
