"""Waiting for a condition on a machine that is busy being broken."""

import time
from collections.abc import Callable


def until(
    condition: Callable[[], object], what: str, within: float = 60, *, every: float = 0.2
) -> None:
    """Return as soon as the condition holds; fail when it does not within so many seconds."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s: {what}")
        time.sleep(every)
