"""Waiting for something, with a bound."""

import time
from collections.abc import Callable

from bench.errors import BenchError


def wait_until(
    condition: Callable[[], object],
    within: float,
    what: str,
    every: float = 0.1,
    error: type[Exception] = BenchError,
) -> None:
    """Return as soon as it holds. Raises the error when it does not within so many seconds."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise error(f"not within {within:g} s: {what}")
        time.sleep(every)
