"""Waiting for a condition, never without a limit."""

import time
from collections.abc import Callable

from localstack.errors import StackError

INTERVAL_S = 0.05


def wait_until(condition: Callable[[], bool], *, limit_s: float, failure: str) -> None:
    """Return as soon as the condition holds; raise `failure` when it does not within the limit."""
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() >= deadline:
            raise StackError(f"{failure} within {limit_s:g} s")
        time.sleep(INTERVAL_S)
