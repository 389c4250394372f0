"""Waiting for a condition on a machine that is busy being broken."""

from collections.abc import Callable

from bench.processes import wait_until
from chaos.errors import ChaosError


def until(
    condition: Callable[[], object], what: str, within: float = 60, *, every: float = 0.2
) -> None:
    """Return as soon as it holds. Raises ChaosError when it does not within so many seconds."""
    wait_until(condition, within, what, every, ChaosError)
