"""The schedule of beat, for the services that this installation has.

A task expires when it is due again: a second one would only repeat the work.
"""

from typing import Any

from celery.schedules import crontab

from chatsystem.env import Environment
from infra import timeouts

_HOUR = 3600
_MINUTE = 60


def beat_schedule(environment: Environment) -> dict[str, dict[str, Any]]:
    """Celery's CELERY_BEAT_SCHEDULE."""
    counts = environment.reconcile_every_seconds
    schedule = {
        "reconcile-counts": _entry("operations.tasks.reconcile_counts", counts, expires=counts),
        "forget-requests": _entry("operations.tasks.forget_requests", _HOUR, expires=_HOUR),
    }
    if environment.retention_days:
        # Several times a night: a run that takes too long ends, and the next one goes on.
        night = crontab(hour="1-5", minute=30)
        schedule["purge"] = _entry("retention.tasks.purge_old", night, expires=_HOUR // 2)
    if environment.events_days:
        night = crontab(hour="1-5", minute=15)
        schedule["remove-events"] = _entry("events.tasks.remove_old", night, expires=_HOUR // 2)
    if environment.redis_url:
        schedule["sweep"] = _entry("operations.tasks.sweep", _MINUTE, expires=_MINUTE)
        night, task = crontab(hour="1-5", minute=45), "operations.tasks.hand_back_blocks"
        schedule["hand-back-blocks"] = _entry(task, night, expires=_HOUR // 2)
    if environment.broker_url:
        task = "operations.tasks.consume_failed"
        schedule["take-over-failed"] = _entry(task, _MINUTE, expires=_MINUTE)
    # A lost wake-up delays deliveries this long; without a broker there are none.
    often = 3 if environment.broker_url else 1
    schedule["deliver-webhooks"] = _entry("webhooks.tasks.deliver", often, expires=10)
    if environment.elasticsearch_url:
        # A lost notification delays indexing this long; without a broker there are none.
        often = 10 if environment.broker_url else 1
        schedule["index"] = _entry("search.tasks.index", often, expires=10)
        night = crontab(hour=4, minute=0)
        schedule["check-index"] = _entry("search.tasks.check", night, expires=_HOUR)
    return schedule


def _entry(task: str, when: float | crontab, *, expires: float) -> dict[str, Any]:
    options = {
        "confirm_timeout": timeouts.BEAT_CONFIRM_SECONDS,
        "retry": True,
        "retry_policy": {"max_retries": timeouts.BEAT_RETRIES, "interval_start": 0},
        "expires": expires,
    }
    return {"task": task, "schedule": when, "options": options}
