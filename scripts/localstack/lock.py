"""One command at a time may change a stack; the next one waits for it.

The lock is an flock, so it is gone with the process that held it, however that ended.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localstack.waiting import wait_until

LIMIT_S = 900


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock for the length of the block."""
    held: list[int] = []

    def take() -> bool:
        descriptor = _try_to_lock(path)
        if descriptor is not None:
            held.append(descriptor)
        return descriptor is not None

    wait_until(take, limit_s=LIMIT_S, failure=f"another command did not release {path}")
    try:
        yield
    finally:
        os.close(held[0])


def _try_to_lock(path: Path) -> int | None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    if not _is_still(path, descriptor):
        os.close(descriptor)
        return None
    return descriptor


def _is_still(path: Path, descriptor: int) -> bool:
    """A `reset` may have removed the file between our opening and our locking it."""
    try:
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False
