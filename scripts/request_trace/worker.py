"""The Celery application of the recorded worker: it takes tasks first, and records their ends."""

import os
from pathlib import Path
from typing import Any

from celery.signals import task_postrun, worker_ready

from chatsystem.celery import app
from scripts.request_trace.recorder import LOG_VARIABLE, TASK_ENDED, WORKER_READY, Recorder

__all__ = ["app"]

_recorder = Recorder(Path(os.environ[LOG_VARIABLE]))

for queue in app.conf.task_queues:
    # Workers of the running stack take the same queues. RabbitMQ serves the highest priority first.
    queue.consumer_arguments = {"x-priority": 10}


@worker_ready.connect
def note_ready(**_: Any) -> None:
    """Celery calls this when the worker consumes its queues."""
    _recorder.write(WORKER_READY)


@task_postrun.connect
def note_end(**_: Any) -> None:
    """Celery calls this when all work of a task is done."""
    _recorder.write(TASK_ENDED)
