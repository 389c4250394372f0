"""Whether this still is the Redis that the numbers were lent to, with all that it has answered.

A server that was restarted, restored or replaced does not know the script, so it is examined before
it gives a number. Each group raises its fence, and every process knows the highest it has seen: the
server is trusted if its fence is not below any of them, and if every process could be asked. Else
a new epoch begins, in which no block that it holds counts.

A process that is slow is not dead, so each is waited for until it has been silent for longer than
processes are on a busy machine. Only one that was killed just before costs that wait.
"""

import time
from datetime import timedelta
from uuid import UUID

import redis
from django.db import transaction
from django.db.models import Max, Q
from django.utils import timezone

from core.logs import Event, get_logger
from core.numbering.authority import (
    announce_examination,
    begin_epoch,
    lock_authority,
    raise_fence,
    read_authority,
)
from core.numbering.blocks import Blocks, RedisAway, script, script_digest
from core.numbering.models import NumberAuthority, NumberingProcess, Source
from core.numbering.term import Term
from core.redis import keys
from core.redis.client import is_configured, pool
from core.service_errors import meaning_of
from core.timeouts import REDIS_EXAMINATION_SECONDS, REDIS_SILENCE_SECONDS

logger = get_logger(__name__)


def examine(blocks: Blocks, process: UUID, term: Term) -> None:
    """Trust the server in this term or begin a new one; nothing where somebody else just has.

    Raises RedisAway, and OperationalError while the database is away.
    """
    question = announce_examination()
    report(process, blocks, question)
    # Before the lock, for which somebody who is asked may be waiting.
    all_reported = _await_reports(question)
    try:
        with _OneServer() as server, transaction.atomic(durable=True):
            authority = lock_authority()
            if authority.source == Source.REDIS and authority.term == term:
                _settle(authority, server, blocks, all_reported=all_reported)
                _forget_the_silent(question)
    except redis.RedisError as error:
        meaning_of(error)  # logs an error that nobody knows
        raise RedisAway(str(error)) from error


def report(process: UUID, blocks: Blocks, question: int) -> None:
    """Say which fence this process has seen, with no call under way that could raise it."""
    with blocks.calling:
        if question > blocks.question:
            # They may lead to a server that lives on beside the one that is examined.
            pool().disconnect(inuse_connections=False)
            blocks.question = question
        fence = blocks.fence
    said = {"seen_at": timezone.now(), "fence": fence, "examination": question}
    if not NumberingProcess.objects.filter(pk=process).update(**said):
        NumberingProcess.objects.create(pk=process, **said)


def start_epoch_in_redis(authority: NumberAuthority, reason: str) -> None:
    """Redis gives numbers from now on, in a new epoch; `authority` is locked by the caller.

    Raises redis.RedisError.
    """
    with _OneServer() as server:
        _begin(authority, server, _highest(authority), reason)


def begin_epoch_by_hand(reason: str) -> int:
    """Begin an epoch later than any that the database or Redis knows of; its number.

    A Redis that is away now is examined when it is back.
    """
    read_authority()
    with transaction.atomic(durable=True):
        authority = lock_authority()
        if not is_configured():
            begin_epoch(authority, Source(authority.source), reason)
            return authority.epoch
        try:
            start_epoch_in_redis(authority, reason)
        except redis.RedisError as error:
            logger.info(Event.SERVICE_AWAY, service="redis", error=error)
            begin_epoch(authority, Source.REDIS, reason)
        return authority.epoch


def _settle(
    authority: NumberAuthority, server: redis.Redis, blocks: Blocks, *, all_reported: bool
) -> None:
    # Without a fence it is empty, as it should be where no number was ever given.
    fence, epoch = _read(server)
    knows_script = server.script_exists(script_digest(authority.term))[0]
    if knows_script and fence >= blocks.fence and epoch == authority.epoch:
        return
    highest = _highest(authority)
    if fence < highest:
        reason = "Redis lost data"
    elif epoch > authority.epoch:
        reason = "the database is older than Redis"
    elif not all_reported:
        reason = "Redis was replaced while a process could not be asked"
    else:
        authority.trust += 1
        authority.save(update_fields=["trust"])
        _load(authority, server)
        logger.info(Event.REDIS_TRUSTED, epoch=authority.epoch, fence=fence)
        return
    _begin(authority, server, highest, reason)


def _begin(authority: NumberAuthority, server: redis.Redis, highest: int, reason: str) -> None:
    fence, epoch = _read(server)
    begin_epoch(authority, Source.REDIS, reason, above=epoch)
    # Never set: a call of the old epoch may raise it meanwhile.
    server.incrby(keys.FENCE, max(highest - fence, 0) + 1)
    _load(authority, server)
    logger.warning(Event.EPOCH_BEGUN, epoch=authority.epoch, source="redis", reason=reason)


def _read(server: redis.Redis) -> tuple[int, int]:
    """The fence of the server's data, and the last epoch in which it gave numbers."""
    fence, epoch = server.mget((keys.FENCE, keys.EPOCH))
    return int(fence or 0), int(epoch or 0)


def _load(authority: NumberAuthority, server: redis.Redis) -> None:
    """From here on the server gives numbers, once the caller's transaction is through."""
    server.set(keys.EPOCH, authority.epoch)
    server.script_load(script(authority.term))


def _await_reports(question: int) -> bool:
    """Whether all processes have answered the question, as far as they live."""
    began = time.monotonic()
    silent = NumberingProcess.objects.filter(examination__lt=question)
    while last_seen := silent.aggregate(last=Max("seen_at"))["last"]:
        waited = time.monotonic() - began
        # Clocks of hosts differ: by their times alone one might be waited for too long.
        is_gone = timezone.now() - last_seen > timedelta(seconds=REDIS_SILENCE_SECONDS)
        if waited > REDIS_SILENCE_SECONDS or (is_gone and waited > REDIS_EXAMINATION_SECONDS):
            return False
        time.sleep(0.05)
    return True


def _highest(authority: NumberAuthority) -> int:
    seen = NumberingProcess.objects.order_by("-fence").values_list("fence", flat=True)[:1]
    return max(authority.fence, *seen, 0)


def _forget_the_silent(question: int) -> None:
    """The new epoch has accounted for them; one that lives after all comes back by itself."""
    gone = Q(seen_at__lt=timezone.now() - timedelta(seconds=60))
    NumberingProcess.objects.filter(gone, examination__lt=question).delete()


def sign_off(process: UUID, blocks: Blocks) -> None:
    """This process ends: what it has seen is kept, and nobody waits for it any more."""
    with blocks.calling, transaction.atomic(durable=True):
        raise_fence(blocks.fence)
        NumberingProcess.objects.filter(pk=process).delete()


class _OneServer:
    """One connection that is never made anew: all that is asked and done is of one server."""

    def __enter__(self) -> redis.Redis:
        self._client = redis.Redis(connection_pool=pool(), single_connection_client=True)
        return self._client

    def __exit__(self, *_: object) -> None:
        self._client.close()
