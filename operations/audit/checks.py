"""The checks of an audit. A higher layer registers its own, and this layer knows nothing of it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from operations.audit.findings import Finding

#: A place in the order in which a check goes through its rows.
Position = Sequence[str | int]


@dataclass(frozen=True)
class Walk:
    """One check under way: it begins behind `after` and says how far it has come."""

    after: Position | None
    reached: Callable[[Position | None, int], None]
    """All findings up to this position are told; so many rows were passed since. May raise."""

    def pause(self) -> None:
        """Give way to an interruption, without having come any further."""
        self.reached(None, 0)


@dataclass(frozen=True)
class Check:
    """One part of an audit. What it needs and cannot reach, it tells by a finding or raises."""

    name: str
    run: Callable[[Walk], Iterator[Finding]]


_registered: list[Check] = []


def register(check: Check) -> None:
    """Announce a check; called by the application that owns what is checked, when it is ready."""
    if check not in _registered:
        _registered.append(check)


def registered() -> Sequence[Check]:
    """Those of the higher layers."""
    return _registered
