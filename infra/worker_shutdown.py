"""Whether this worker is shutting down, for tasks that wait: no wait may outlast the signal.

The parent gets the signal and its children run the tasks, so a byte of shared memory tells them. It
needs no lock, which a killed child could leave locked for ever.
"""

import os
import time
from ctypes import c_bool
from multiprocessing.sharedctypes import RawValue
from typing import Any

from celery.signals import worker_shutting_down

_LOOK_EVERY_SECONDS = 0.1
#: The longest run of a task that the next run continues. Below half an hour: RabbitMQ redelivers a
#: task that is not acknowledged within that time.
MAX_SECONDS = 20 * 60

# Created at import, so by the parent before it forks.
_is_shutting_down = RawValue(c_bool, False)


@worker_shutting_down.connect(weak=False)
def _note_shutdown(**_: Any) -> None:
    _is_shutting_down.value = True


def wait_for_shutdown(seconds: float) -> bool:
    """Wait; true at once if this worker shuts down or its parent is gone, else false at the end."""
    parent = os.getppid()
    until = time.monotonic() + seconds
    while not _is_shutting_down.value and os.getppid() == parent:
        left = until - time.monotonic()
        if left <= 0:
            return False
        time.sleep(min(left, _LOOK_EVERY_SECONDS))
    return True


def must_end(limit: float) -> bool:
    """Whether this time by time.monotonic has come, or this worker shuts down."""
    return time.monotonic() > limit or wait_for_shutdown(0)
