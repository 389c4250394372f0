"""Fencing: whether this is still the Redis that holds the leases, with all the data it confirmed.

docs/architecture.md ("Numbers") tells how. A slow process is not dead, so verification waits for
each process until it has been silent for longer than a busy machine makes it. It also runs while no
client writes: until then a row that never existed is answered like one that may still be queued.
"""

import time
from dataclasses import asdict
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
from ingest.models import Generation, NumberAuthority, NumberingProcess, Source
from ingest.numbering.authority import (
    begin_epoch,
    lock_authority,
    raise_fence,
    read_authority,
    request_reports,
)
from ingest.numbering.blocks import Blocks, NumbersUnavailable, script_digests, scripts


def is_verified(generation: Generation) -> bool:
    """Whether the server is verified for this generation. Raises RedisUnavailable."""

    def look(server: Any) -> Any:
        pipeline = server.pipeline(transaction=False)
        pipeline.script_exists(script_digests(generation)["blocks"])
        return pipeline.get(redis_keys.EPOCH).execute()

    [knows_script], epoch = ask_redis(look)
    return bool(knows_script) and int(epoch or 0) == generation.epoch


logger = get_logger(__name__)

#: How often the reports of other processes are read while this one waits for them.
_POLL_SECONDS = 0.05


def verify_server(blocks: Blocks, process: UUID, generation: Generation) -> None:
    """Verify the server for this generation, or begin an epoch; nothing if a rival just did.

    Raises NumbersUnavailable, and OperationalError without a database.
    """
    question = request_reports()
    report(process, blocks, question)
    # Wait before locking: a process that must report may itself be waiting for the lock.
    all_reported = _await_reports(question)
    try:
        with _one_server() as server, transaction.atomic(durable=True):
            authority = lock_authority()
            if authority.source == Source.REDIS and authority.generation == generation:
                _decide(authority, server, blocks, all_reported=all_reported)
                _forget_the_silent(question)
            authority.examined = max(authority.examined, question)
            authority.save(update_fields=["examined"])
    except redis.RedisError as error:
        meaning_of(error)  # logs an unknown error
        raise NumbersUnavailable(str(error)) from error


def report(process: UUID, blocks: Blocks, question: int) -> None:
    """Report the fence that this process has seen; no call raises it until that is decided."""
    said = {"seen_at": timezone.now(), **asdict(blocks.report_for(question))}
    if not NumberingProcess.objects.filter(pk=process).update(**said):
        NumberingProcess.objects.create(pk=process, **said)


def begin_epoch_in_redis(authority: NumberAuthority, reason: str) -> None:
    """Let Redis give numbers, in a new epoch of the locked `authority`. Raises redis.RedisError."""
    with _one_server() as server:
        _begin_epoch(authority, server, _highest_fence(authority), reason)


def begin_epoch_by_hand(reason: str) -> int:
    """Begin an epoch later than any that the database or Redis knows; its number.

    If Redis is unavailable now, it is verified when it is back.
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
    # A server without a fence is empty, as it should be if no number was ever given.
    fence, epoch = _read_fence_and_epoch(server)
    knows_scripts = all(server.script_exists(*script_digests(authority.generation).values()))
    if knows_scripts and fence >= blocks.fence and epoch == authority.epoch:
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
    # Raised, never set: a call of the old epoch may raise it meanwhile.
    server.incrby(redis_keys.FENCE, max(highest - fence, 0) + 1)
    _load_script(authority, server)
    logger.warning(Event.EPOCH_BEGUN, epoch=authority.epoch, source="redis", reason=reason)


def _read_fence_and_epoch(server: redis.Redis) -> tuple[int, int]:
    """The server's fence, and the last epoch in which it gave numbers."""
    fence, epoch = server.mget((redis_keys.FENCE, redis_keys.EPOCH))
    return int(fence or 0), int(epoch or 0)


def _load_script(authority: NumberAuthority, server: redis.Redis) -> None:
    """Let the server give numbers once the caller's transaction has committed."""
    server.set(redis_keys.EPOCH, authority.epoch)
    for script in scripts(authority.generation).values():
        server.script_load(script)


def _await_reports(question: int) -> bool:
    """Wait for the reports; whether all living processes have answered."""
    began = time.monotonic()
    silent = NumberingProcess.objects.filter(examination__lt=question)
    while last_seen := silent.aggregate(last=Max("seen_at"))["last"]:
        waited = time.monotonic() - began
        # Clocks of hosts differ, so their times alone could make this wait too long.
        is_gone = timezone.now() - last_seen > timedelta(seconds=REDIS_SILENCE_SECONDS)
        if waited > REDIS_SILENCE_SECONDS or (is_gone and waited > REDIS_EXAMINATION_SECONDS):
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _highest_fence(authority: NumberAuthority) -> int:
    seen = NumberingProcess.objects.order_by("-fence").values_list("fence", flat=True)[:1]
    return max(authority.fence, *seen, 0)


def _forget_the_silent(question: int) -> None:
    """Forget them: the new epoch has allowed for them, and a living one registers again."""
    gone = Q(seen_at__lt=timezone.now() - timedelta(seconds=60))
    NumberingProcess.objects.filter(gone, examination__lt=question).delete()


def sign_off(process: UUID, blocks: Blocks) -> None:
    """Keep what this ending process has seen; verification no longer waits for it."""
    with blocks.calling, transaction.atomic(durable=True):
        raise_fence(blocks.fence)
        NumberingProcess.objects.filter(pk=process).delete()


def _one_server() -> redis.Redis:
    """A client whose connection is never replaced, so that all commands reach the same server."""
    return redis.Redis(connection_pool=redis_pool(), single_connection_client=True)


def verify_if_restarted() -> NumberAuthority:
    """The authority, once a restarted server is verified.

    Raises RedisUnavailable, OperationalError.
    """
    authority = read_authority()
    if authority.source != Source.REDIS or is_verified(authority.generation):
        return authority
    process, blocks = uuid4(), Blocks()
    try:
        verify_server(blocks, process, authority.generation)
    except NumbersUnavailable as error:
        raise RedisUnavailable(str(error)) from error
    finally:
        sign_off(process, blocks)
    return read_authority()
