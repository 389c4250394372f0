"""Every scheduled task records its runs."""

from django.conf import settings

from chatsystem.beat_schedule import beat_schedule
from chatsystem.celery import app
from operations.schedule import ScheduledTask


def test_each_scheduled_task_records_its_runs() -> None:
    switches = dict.fromkeys(("redis_url", "broker_url", "elasticsearch_url"), "set")
    everything = settings.ENVIRONMENT.model_copy(update={**switches, "retention_days": 1})
    app.loader.import_default_modules()

    names = {entry["task"] for entry in beat_schedule(everything).values()}

    assert len(names) == 10
    assert {name for name in names if isinstance(app.tasks[name], ScheduledTask)} == names
