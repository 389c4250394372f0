"""The Celery application of a test's worker, with a separate queue and injected faults."""

import os
from importlib import import_module
from typing import Any

from celery.signals import worker_init

from chatsystem.celery import app
from infra.rabbitmq.queues import work_queue

__all__ = ["app"]

app.conf.task_queues = [work_queue(os.environ["TEST_QUEUE"], os.environ["TEST_FAILED"])]
app.conf.task_default_queue = os.environ["TEST_QUEUE"]


@worker_init.connect
def bring_faults(**_: Any) -> None:
    """The pool's processes are made afterwards and inherit them."""
    import_module("tests.pipeline.faults")
