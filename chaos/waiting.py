"""Waiting for a condition."""

from collections.abc import Callable

from bench.processes import wait_until
from chaos.errors import ChaosError


def until(
    condition: Callable[[], object], what: str, within: float = 60, *, every: float = 0.2
) -> None:
    """Poll until the condition holds. Raises ChaosError after `within` seconds."""
    wait_until(condition, within, what, every, ChaosError)
