"""How far Redis' numbers can be believed now, and whether rows may be where nobody can see them."""

import time

from infra.rabbitmq.connection import BrokerUnavailable, messages_waiting
from infra.redis_client import RedisUnavailable, redis_is_configured
from infra.timeouts import WORKER_HOLDS_SECONDS
from ingest.numbering.fencing import is_verified
from ingest.numbering.models import NumberAuthority, Source
from ingest.records import record_types
from operations.audit.checks import Walk
from operations.audit.redis_state import LentBlock, Numbered, numbered

WAIT_SECONDS = 20.0
LOOK_EVERY_SECONDS = 0.2

_NOTHING = Numbered(0, LentBlock(0, 0, 0))


def authority() -> NumberAuthority | None:
    """Who gives numbers; None where no number was ever given."""
    return NumberAuthority.objects.first()


def epoch_of_blocks() -> int | None:
    """The epoch whose blocks in Redis count now; None where none do, or nobody knows."""
    now = authority()
    if not redis_is_configured() or now is None or now.source != Source.REDIS:
        return None
    try:
        return now.epoch if is_verified(now.generation) else None
    except RedisUnavailable:
        return None


def numbered_by_redis(parents: list[str]) -> list[Numbered]:
    """What Redis knows of these parents; of none of them anything, where it does not answer."""
    try:
        return numbered(parents)
    except RedisUnavailable:
        return [_NOTHING] * len(parents)


def await_queues(walk: Walk) -> None:
    """Wait, though not for long, while rows may be in a queue and nowhere else.

    That is so after Redis has lost data, or while it is away: else what is queued pends there too.
    """
    now = authority()
    if (
        not redis_is_configured()
        or now is None
        or (now.is_drained and epoch_of_blocks() is not None)
    ):
        return
    until = time.monotonic() + WAIT_SECONDS
    while _something_waits() and time.monotonic() < until:
        _pause(walk, LOOK_EVERY_SECONDS)
    _pause(walk, WORKER_HOLDS_SECONDS)


def _something_waits() -> bool:
    try:
        return messages_waiting(*record_types()) > 0
    except BrokerUnavailable:
        return False


def _pause(walk: Walk, seconds: float) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        walk.pause()
        time.sleep(min(left, LOOK_EVERY_SECONDS))
