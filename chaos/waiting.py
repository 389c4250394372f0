"""Waiting for a condition on a machine that is busy being broken."""

import time
from collections.abc import Callable

from chaos.errors import ChaosError


def until(
    condition: Callable[[], object], what: str, within: float = 60, *, every: float = 0.2
) -> None:
    """Return as soon as it holds. Raises ChaosError when it does not within so many seconds."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise ChaosError(f"not within {within:.0f} s: {what}")
        time.sleep(every)
