"""Fencing: whether this is still the Redis that holds the leases, with all the data it confirmed.

docs/architecture.md ("Numbers") tells how. A slow process is not dead, so verification waits for
each process until it has been silent for longer than a busy machine makes it. It also runs while no
client writes: until then a row that never existed is answered like one that may still be queued.
"""

import time
from collections.abc import Collection, Iterable, Mapping
from contextlib import ExitStack
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import redis
from django.db import transaction
from django.utils import timezone

from infra.logs import Event, get_logger
from infra.redis_client import (
    RedisUnavailable,
    Shard,
    ask_redis,
    find_servers,
    learn_servers,
    redis_is_configured,
    server_of,
    shards,
)
from infra.service_errors import meaning_of
from infra.timeouts import REDIS_EXAMINATION_SECONDS, REDIS_SILENCE_SECONDS
from ingest import redis_keys
from ingest.models import Generation, NumberAuthority, NumberingProcess, Report, Source
from ingest.numbering.authority import (
    begin_epoch,
    lock_authority,
    raise_fence,
    read_authority,
    request_reports,
)
from ingest.numbering.blocks import Blocks, script_digests, scripts
from ingest.numbering.errors import NumbersUnavailable


def is_verified(shard: Shard, generation: Generation) -> bool:
    """Whether the shard's server is verified for this generation. Raises RedisUnavailable."""

    def look(server: Any) -> Any:
        pipeline = server.pipeline(transaction=False)
        pipeline.script_exists(script_digests(shard, generation)["blocks"])
        return pipeline.get(redis_keys.epoch(shard)).execute()

    [knows_script], epoch = ask_redis(shard, look)
    return bool(knows_script) and int(epoch or 0) == generation.epoch


logger = get_logger(__name__)

#: How often the reports of other processes are read while this one waits for them.
_POLL_SECONDS = 0.05


def verify_servers(
    process: UUID, wanted: Mapping[Shard, tuple[Blocks, Generation]]
) -> Mapping[Shard, NumbersUnavailable]:
    """Verify the server of each shard for its generation, or begin an epoch of the shard.

    Nothing is done of a shard that a rival just verified. Returns the failures. Raises
    OperationalError without a database.
    """
    find_servers()
    questions = request_reports(wanted)
    report(process, {of: wanted[of][0].report_for(question) for of, question in questions.items()})
    # Wait before locking: a process that must report may itself be waiting for the lock.
    silent = _await_reports(questions)
    failures = {}
    for shard, question in questions.items():
        try:
            all_reported = all(one.report_of(shard).examination >= question for one in silent)
            _verify(*wanted[shard], question, all_reported=all_reported)
        except NumbersUnavailable as error:
            failures[shard] = error
    return failures


def _verify(blocks: Blocks, generation: Generation, question: int, *, all_reported: bool) -> None:
    shard = blocks.shard
    try:
        with server_of(shard).one_connection() as server, transaction.atomic(durable=True):
            authority = lock_authority(shard)
            if authority.source == Source.REDIS and authority.generation == generation:
                _decide(authority, server, blocks, all_reported=all_reported)
                _forget_the_silent(shard, question)
            authority.examined = max(authority.examined, question)
            authority.save(update_fields=["examined"])
    except RedisUnavailable as error:
        raise NumbersUnavailable(str(error)) from error
    except redis.RedisError as error:
        learn_servers(error)
        meaning_of(error)  # logs an unknown error
        raise NumbersUnavailable(str(error)) from error


def report(process: UUID, reports: Mapping[Shard, Report]) -> None:
    """Save what this process reports; of shards that it does not name, nothing changes."""
    with transaction.atomic():
        row, _ = NumberingProcess.objects.select_for_update().get_or_create(
            pk=process, defaults={"seen_at": timezone.now()}
        )
        row.set_reports(reports.get(shard) or row.report_of(shard) for shard in shards())
        row.seen_at = timezone.now()
        row.save()


def begin_epoch_in_redis(authority: NumberAuthority, reason: str) -> None:
    """Let Redis give numbers, in a new epoch of the locked `authority`.

    Raises redis.RedisError, RedisUnavailable.
    """
    with server_of(authority.shard).one_connection() as server:
        _begin_epoch(authority, server, _highest_fence(authority), reason)


def begin_epochs_by_hand(reason: str) -> int:
    """Begin an epoch of each shard, later than any that the database or Redis knows; the highest.

    If Redis is unavailable now, it is verified when it is back.
    """
    return max(_begin_by_hand(shard, reason) for shard in shards())


def _begin_by_hand(shard: Shard, reason: str) -> int:
    read_authority(shard)
    with transaction.atomic(durable=True):
        authority = lock_authority(shard)
        if not redis_is_configured():
            begin_epoch(authority, Source(authority.source), reason)
            return authority.epoch
        try:
            begin_epoch_in_redis(authority, reason)
        except (redis.RedisError, RedisUnavailable) as error:
            logger.info(Event.SERVICE_AWAY, service="redis", error=error)
            begin_epoch(authority, Source.REDIS, reason)
        return authority.epoch


def _decide(
    authority: NumberAuthority, server: redis.Redis, blocks: Blocks, *, all_reported: bool
) -> None:
    # A server without a fence is empty, as it should be if no number was ever given.
    fence, epoch = _read_fence_and_epoch(authority, server)
    knows_scripts = all(server.script_exists(*_digests(authority)))
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
        shard = authority.shard.number
        logger.info(Event.REDIS_TRUSTED, epoch=authority.epoch, fence=fence, shard=shard)
        return
    _begin_epoch(authority, server, highest, reason)


def _begin_epoch(
    authority: NumberAuthority, server: redis.Redis, highest: int, reason: str
) -> None:
    fence, epoch = _read_fence_and_epoch(authority, server)
    begin_epoch(authority, Source.REDIS, reason, above=epoch)
    # Raised, never set: a call of the old epoch may raise it meanwhile.
    server.incrby(redis_keys.fence(authority.shard), max(highest - fence, 0) + 1)
    _load_script(authority, server)
    shard = authority.shard.number
    logger.warning(
        Event.EPOCH_BEGUN, epoch=authority.epoch, source="redis", reason=reason, shard=shard
    )


def _read_fence_and_epoch(authority: NumberAuthority, server: redis.Redis) -> tuple[int, int]:
    """The server's fence, and the last epoch in which it gave numbers."""
    names = redis_keys.fence(authority.shard), redis_keys.epoch(authority.shard)
    fence, epoch = server.mget(names)
    return int(fence or 0), int(epoch or 0)


def _load_script(authority: NumberAuthority, server: redis.Redis) -> None:
    """Let the server give numbers once the caller's transaction has committed."""
    server.set(redis_keys.epoch(authority.shard), authority.epoch)
    for script in scripts(authority.shard, authority.generation).values():
        server.script_load(script)


def _digests(authority: NumberAuthority) -> Iterable[str]:
    return script_digests(authority.shard, authority.generation).values()


def _await_reports(questions: Mapping[Shard, int]) -> Collection[NumberingProcess]:
    """Wait until all living processes have answered; those that did not."""
    began = time.monotonic()
    while silent := _silent(questions):
        waited = time.monotonic() - began
        # Clocks of hosts differ, so their times alone could make this wait too long.
        last_seen = max(one.seen_at for one in silent)
        is_gone = timezone.now() - last_seen > timedelta(seconds=REDIS_SILENCE_SECONDS)
        if waited > REDIS_SILENCE_SECONDS or (is_gone and waited > REDIS_EXAMINATION_SECONDS):
            break
        time.sleep(_POLL_SECONDS)
    return silent


def _silent(questions: Mapping[Shard, int]) -> Collection[NumberingProcess]:
    """The processes that have not answered all of these questions yet."""
    processes = list(NumberingProcess.objects.all())
    return {
        process
        for shard, question in questions.items()
        for process in processes
        if process.report_of(shard).examination < question
    }


def _highest_fence(authority: NumberAuthority) -> int:
    seen = (one.report_of(authority.shard).fence for one in NumberingProcess.objects.all())
    return max(authority.fence, *seen, 0)


def _forget_the_silent(shard: Shard, question: int) -> None:
    """Forget them: the new epoch has allowed for them, and a living one registers again."""
    gone = timezone.now() - timedelta(seconds=60)
    silent = [one.pk for one in _silent({shard: question}) if one.seen_at < gone]
    NumberingProcess.objects.filter(pk__in=silent).delete()


def sign_off(process: UUID, blocks: Iterable[Blocks]) -> None:
    """Keep what this ending process has seen; verification no longer waits for it."""
    with ExitStack() as held, transaction.atomic(durable=True):
        for each in blocks:
            held.enter_context(each.calling)
            if each.fence:
                raise_fence(each.shard, each.fence)
        NumberingProcess.objects.filter(pk=process).delete()


def verify_if_restarted(shard: Shard) -> NumberAuthority:
    """The shard's authority, once a restarted server is verified.

    Raises RedisUnavailable, OperationalError.
    """
    authority = read_authority(shard)
    if authority.source != Source.REDIS or is_verified(shard, authority.generation):
        return authority
    process, blocks = uuid4(), Blocks(shard)
    try:
        failures = verify_servers(process, {shard: (blocks, authority.generation)})
    finally:
        sign_off(process, [blocks])
    if failures:
        raise RedisUnavailable(str(failures[shard]))
    return read_authority(shard)
