"""The scheduled work of this layer."""

import logging

from celery import shared_task
from django.db import close_old_connections

from core import counts
from core.jobs import JobIsRunning

logger = logging.getLogger(__name__)


@shared_task
def reconcile_counts() -> None:
    """The hourly count job; a run that is still under way does the work of this one."""
    # Where beat runs it itself, nobody else replaces a connection that has died since.
    close_old_connections()
    try:
        tallies = counts.reconcile()
    except JobIsRunning as busy:
        logger.warning("count job not started: %s", busy)
        return
    for name, tally in tallies.items():
        logger.info("%s: %d counted, %d corrected", name, tally.counted, tally.corrected)
