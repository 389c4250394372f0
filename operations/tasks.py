"""The scheduled work of this layer."""

import logging

from celery import shared_task
from django.db import close_old_connections

from infra.jobs import JobIsRunning
from infra.logs import Event, get_logger
from infra.rabbitmq.connection import BrokerUnavailable
from infra.redis_client import RedisUnavailable, redis_is_configured
from ingest.dead_letters import consumer
from ingest.idempotency.records import forget_old_keys
from ingest.sweeper import sweep as sweep_pending
from operations import counts

logger = get_logger(__name__)


def reconcile_counts() -> None:
    """The hourly count job; a run that is still under way does the work of this one."""
    # Where beat runs it itself, nobody else replaces a connection that has died since.
    close_old_connections()
    try:
        tallies = counts.reconcile()
    except JobIsRunning as busy:
        logger.warning(Event.COUNTS_BUSY, error=busy)
        return
    for name, tally in tallies.items():
        logger.info(Event.COUNTED, field=name, **vars(tally))


def forget_requests() -> None:
    """Hourly: keys of requests that are a day old count no more."""
    close_old_connections()
    logger.info(Event.KEYS_FORGOTTEN, keys=forget_old_keys())


def consume_failed() -> None:
    """Each minute: what the broker has set aside is stored, or becomes dead letters."""
    close_old_connections()
    try:
        taken = consumer.consume_failed()  # its job tells the audit that somebody looks
    except (JobIsRunning, BrokerUnavailable) as error:
        logger.warning(Event.FAILED_STAY, error=error)
        return
    if taken:
        logger.warning(Event.TAKEN_OVER, messages=taken)


def sweep() -> None:
    """The sweep of each minute; one that is still under way does the work of this one."""
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


# Beat of the release before sends the tasks under the second names. The next release drops those.
for _work, _former_name in (
    (reconcile_counts, "reconcile_counts"),
    (forget_requests, "forget_requests"),
    (consume_failed, "take_over_failed"),
    (sweep, "sweep"),
):
    for _name in (f"operations.tasks.{_work.__name__}", f"core.tasks.{_former_name}"):
        shared_task(name=_name)(_work)
