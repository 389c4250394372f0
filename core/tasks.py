"""The scheduled work of this layer."""

import logging

from celery import shared_task
from django.db import close_old_connections

from core import counts
from core.accept import failed
from core.accept.sweeper import sweep as sweep_pending
from core.broker.publisher import BrokerAway
from core.idempotency.records import forget_old
from core.jobs import JobIsRunning
from core.logs import Event, get_logger
from core.redis.client import is_configured
from core.redis.guard import NoRedis

logger = get_logger(__name__)


@shared_task
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


@shared_task
def forget_requests() -> None:
    """Hourly: keys of requests that are a day old count no more."""
    close_old_connections()
    logger.info(Event.KEYS_FORGOTTEN, keys=forget_old())


@shared_task
def take_over_failed() -> None:
    """Each minute: what the broker has set aside is stored, or becomes dead letters."""
    close_old_connections()
    try:
        taken = failed.take_over_failed()  # its job tells the audit that somebody looks
    except (JobIsRunning, BrokerAway) as error:
        logger.warning(Event.FAILED_STAY, error=error)
        return
    if taken:
        logger.warning(Event.TAKEN_OVER, messages=taken)


@shared_task
def sweep() -> None:
    """The sweep of each minute; one that is still under way does the work of this one."""
    if not is_configured():
        return
    close_old_connections()
    try:
        swept = sweep_pending()
    except (JobIsRunning, NoRedis) as error:
        logger.warning(Event.SWEEP_FAILED, error=error)
        return
    level = logging.WARNING if swept.stored or swept.set_aside else logging.DEBUG
    logger.log(level, Event.SWEPT, **vars(swept))
