"""Whether a server was found to be the one that the numbers were lent to, and still has its data.

One that was restarted or replaced does not know the script, one that was emptied under way does not
know the epoch.

Whether this still is the Redis that the numbers were lent to, with all that it has answered.

A server that was restarted, restored or replaced does not know the script, so it is examined before
it gives a number. Each group raises its fence, and every process knows the highest it has seen: the
server is trusted if its fence is not below any of them, and if every process could be asked. Else
a new epoch begins, in which no block that it holds counts.

A process that is slow is not dead, so each is waited for until it has been silent for longer than
processes are on a busy machine. Only one that was killed just before costs that wait.

A Redis that was restarted or emptied is examined also while nobody writes.

Until that is done nobody knows what it has lost, so a row that was never there is answered like one
that may still be queued.
"""

import time
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import redis
from django.db import transaction
from django.db.models import Max, Q
from django.utils import timezone

from infra.logs import Event, get_logger
from infra.redis_client import RedisUnavailable, ask_redis, redis_is_configured, redis_pool
from infra.service_errors import meaning_of
from infra.timeouts import REDIS_EXAMINATION_SECONDS, REDIS_SILENCE_SECONDS
from ingest import redis_keys
from ingest.numbering.authority import (
    begin_epoch,
    lock_authority,
    raise_fence,
    read_authority,
    request_reports,
)
from ingest.numbering.blocks import Blocks, NumbersUnavailable, script, script_digest
from ingest.numbering.models import Generation, NumberAuthority, NumberingProcess, Source


def is_verified(term: Generation) -> bool:
    """Whether Redis gives numbers in this term, with all that it has answered. Raises NoRedis."""

    def look(server: Any) -> Any:
        pipeline = server.pipeline(transaction=False)
        pipeline.script_exists(script_digest(term))
        return pipeline.get(redis_keys.EPOCH).execute()

    [knows_script], epoch = ask_redis(look)
    return bool(knows_script) and int(epoch or 0) == term.epoch


logger = get_logger(__name__)


def verify_server(blocks: Blocks, process: UUID, term: Generation) -> None:
    """Trust the server in this term or begin a new one; nothing where somebody else just has.

    Raises RedisAway, and OperationalError while the database is away.
    """
    question = request_reports()
    report(process, blocks, question)
    # Before the lock, for which somebody who is asked may be waiting.
    all_reported = _await_reports(question)
    try:
        with _OneServer() as server, transaction.atomic(durable=True):
            authority = lock_authority()
            if authority.source == Source.REDIS and authority.term == term:
                _decide(authority, server, blocks, all_reported=all_reported)
                _forget_the_silent(question)
    except redis.RedisError as error:
        meaning_of(error)  # logs an error that nobody knows
        raise NumbersUnavailable(str(error)) from error


def report(process: UUID, blocks: Blocks, question: int) -> None:
    """Say which fence this process has seen, with no call under way that could raise it."""
    with blocks.calling:
        if question > blocks.question:
            # They may lead to a server that lives on beside the one that is examined.
            redis_pool().disconnect(inuse_connections=False)
            blocks.question = question
        fence = blocks.fence
    said = {"seen_at": timezone.now(), "fence": fence, "examination": question}
    if not NumberingProcess.objects.filter(pk=process).update(**said):
        NumberingProcess.objects.create(pk=process, **said)


def begin_epoch_in_redis(authority: NumberAuthority, reason: str) -> None:
    """Redis gives numbers from now on, in a new epoch; `authority` is locked by the caller.

    Raises redis.RedisError.
    """
    with _OneServer() as server:
        _begin_epoch(authority, server, _highest_fence(authority), reason)


def begin_epoch_by_hand(reason: str) -> int:
    """Begin an epoch later than any that the database or Redis knows of; its number.

    A Redis that is away now is examined when it is back.
    """
    read_authority()
    with transaction.atomic(durable=True):
        authority = lock_authority()
        if not redis_is_configured():
            begin_epoch(authority, Source(authority.source), reason)
            return authority.epoch
        try:
            begin_epoch_in_redis(authority, reason)
        except redis.RedisError as error:
            logger.info(Event.SERVICE_AWAY, service="redis", error=error)
            begin_epoch(authority, Source.REDIS, reason)
        return authority.epoch


def _decide(
    authority: NumberAuthority, server: redis.Redis, blocks: Blocks, *, all_reported: bool
) -> None:
    # Without a fence it is empty, as it should be where no number was ever given.
    fence, epoch = _read_fence_and_epoch(server)
    knows_script = server.script_exists(script_digest(authority.term))[0]
    if knows_script and fence >= blocks.fence and epoch == authority.epoch:
        return
    highest = _highest_fence(authority)
    if fence < highest:
        reason = "Redis lost data"
    elif epoch > authority.epoch:
        reason = "the database is older than Redis"
    elif not all_reported:
        reason = "Redis was replaced while a process could not be asked"
    else:
        authority.trust += 1
        authority.save(update_fields=["trust"])
        _load_script(authority, server)
        logger.info(Event.REDIS_TRUSTED, epoch=authority.epoch, fence=fence)
        return
    _begin_epoch(authority, server, highest, reason)


def _begin_epoch(
    authority: NumberAuthority, server: redis.Redis, highest: int, reason: str
) -> None:
    fence, epoch = _read_fence_and_epoch(server)
    begin_epoch(authority, Source.REDIS, reason, above=epoch)
    # Never set: a call of the old epoch may raise it meanwhile.
    server.incrby(redis_keys.FENCE, max(highest - fence, 0) + 1)
    _load_script(authority, server)
    logger.warning(Event.EPOCH_BEGUN, epoch=authority.epoch, source="redis", reason=reason)


def _read_fence_and_epoch(server: redis.Redis) -> tuple[int, int]:
    """The fence of the server's data, and the last epoch in which it gave numbers."""
    fence, epoch = server.mget((redis_keys.FENCE, redis_keys.EPOCH))
    return int(fence or 0), int(epoch or 0)


def _load_script(authority: NumberAuthority, server: redis.Redis) -> None:
    """From here on the server gives numbers, once the caller's transaction is through."""
    server.set(redis_keys.EPOCH, authority.epoch)
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


def _highest_fence(authority: NumberAuthority) -> int:
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
        self._client = redis.Redis(connection_pool=redis_pool(), single_connection_client=True)
        return self._client

    def __exit__(self, *_: object) -> None:
        self._client.close()


def verify_if_restarted() -> NumberAuthority:
    """Who gives numbers, once it is known. Raises NoRedis, OperationalError."""
    authority = read_authority()
    if authority.source != Source.REDIS or is_verified(authority.term):
        return authority
    process, blocks = uuid4(), Blocks()
    try:
        verify_server(blocks, process, authority.term)
    except NumbersUnavailable as error:
        raise RedisUnavailable(str(error)) from error
    finally:
        sign_off(process, blocks)
    return read_authority()
