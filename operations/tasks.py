"""Scheduled tasks: the count job, the sweep, failed messages, old idempotency keys, idle blocks."""

import logging
import time

from celery import shared_task
from django.db import close_old_connections

from infra.jobs import JobIsRunning
from infra.logs import Event, get_logger
from infra.rabbitmq.connection import BrokerUnavailable
from infra.redis_client import RedisUnavailable, redis_is_configured
from infra.worker_shutdown import MAX_SECONDS, must_end
from ingest.dead_letters import consumer
from ingest.idempotency.records import forget_old_keys
from ingest.numbering.idle_blocks import NotNow, hand_back
from ingest.sweeper import sweep as sweep_pending
from operations import counts
from operations.schedule import ScheduledTask

logger = get_logger(__name__)


def reconcile_counts() -> None:
    """Run the count job, hourly; skip it while another run is running."""
    # In the embedded profile beat runs the task, and nothing else replaces a dead connection.
    close_old_connections()
    try:
        tallies = counts.reconcile()
    except JobIsRunning as busy:
        logger.warning(Event.COUNTS_BUSY, error=busy)
        return
    for name, tally in tallies.items():
        logger.info(Event.COUNTED, field=name, **vars(tally))


def forget_requests() -> None:
    """Delete idempotency keys that are older than a day, hourly."""
    close_old_connections()
    logger.info(Event.KEYS_FORGOTTEN, keys=forget_old_keys())


@shared_task(name="operations.tasks.hand_back_blocks", base=ScheduledTask)
def hand_back_blocks() -> None:
    """Hand back the blocks of numbers of idle chats, nightly."""
    if not redis_is_configured():
        return
    close_old_connections()
    limit = time.monotonic() + MAX_SECONDS
    try:
        blocks = hand_back(should_stop=lambda: must_end(limit))
    except (JobIsRunning, NotNow, RedisUnavailable) as error:
        logger.warning(Event.BLOCKS_STAY, error=error)
        return
    logger.info(Event.BLOCKS_RETURNED, blocks=blocks)


def consume_failed() -> None:
    """Store failed messages or turn them into dead letters, every minute."""
    close_old_connections()
    try:
        taken = consumer.consume_failed()  # the audit checks when this job last ran
    except (JobIsRunning, BrokerUnavailable) as error:
        logger.warning(Event.FAILED_STAY, error=error)
        return
    if taken:
        logger.warning(Event.TAKEN_OVER, messages=taken)


def sweep() -> None:
    """Store rows that are pending for more than a minute, every minute."""
    if not redis_is_configured():
        return
    close_old_connections()
    try:
        swept = sweep_pending()
    except (JobIsRunning, RedisUnavailable) as error:
        logger.warning(Event.SWEEP_FAILED, error=error)
        return
    level = logging.WARNING if swept.stored or swept.set_aside else logging.DEBUG
    logger.log(level, Event.SWEPT, **vars(swept))


# Beat of the previous release sends the tasks under the second names; remove them in the next one.
for _work, _former_name in (
    (reconcile_counts, "reconcile_counts"),
    (forget_requests, "forget_requests"),
    (consume_failed, "take_over_failed"),
    (sweep, "sweep"),
):
    for _name in (f"operations.tasks.{_work.__name__}", f"core.tasks.{_former_name}"):
        shared_task(name=_name, base=ScheduledTask)(_work)
