"""Whether this worker is to end, for tasks that wait: a wait must not outlast the order to stop.

The order comes to the parent as a signal, the tasks run in its children: a byte of shared memory
tells them. It takes no lock, which a child that was killed could have left locked for ever.
"""

import os
import time
from ctypes import c_bool
from multiprocessing.sharedctypes import RawValue
from typing import Any

from celery.signals import worker_shutting_down

_LOOK_EVERY_SECONDS = 0.1

# Made when this is imported, so by the parent before it forks.
_is_shutting_down = RawValue(c_bool, False)


@worker_shutting_down.connect(weak=False)
def _note_shutdown(**_: Any) -> None:
    _is_shutting_down.value = True


def wait_for_shutdown(seconds: float) -> bool:
    """True, at once, when this worker is to end or its parent is gone; else false after a while."""
    parent = os.getppid()
    until = time.monotonic() + seconds
    while not _is_shutting_down.value and os.getppid() == parent:
        left = until - time.monotonic()
        if left <= 0:
            return False
        time.sleep(min(left, _LOOK_EVERY_SECONDS))
    return True
