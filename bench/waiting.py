"""Waiting for something, with a bound."""

import time
from collections.abc import Callable

from bench.errors import BenchError


def wait_until(
    condition: Callable[[], object], within: float, what: str, every: float = 0.1
) -> None:
    """Return as soon as it holds. Raises BenchError when it does not within so many seconds."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise BenchError(f"not within {within:.0f} s: {what}")
        time.sleep(every)
