"""Waiting for a condition on a machine that is busy being broken."""

from collections.abc import Callable

from tests.live.servers import eventually


def until(
    condition: Callable[[], object], what: str, within: float = 60, *, every: float = 0.2
) -> None:
    """Return as soon as the condition holds; fail when it does not within so many seconds."""
    eventually(condition, within, what, every=every)
