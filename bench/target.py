"""What load is put on."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from bench.wrk import Keys


@dataclass(frozen=True)
class Target:
    """A server's address for new messages, and how many rows of them its table holds by now.

    Without `count_stored` it stores nothing. With `keys` its requests bear them.
    """

    name: str
    address: str
    count_stored: Callable[[], int] | None = None
    keys: Keys | None = None

    def stored(self) -> int:
        """The rows that its table holds, 0 where it stores nothing."""
        return self.count_stored() if self.count_stored else 0


@dataclass(frozen=True)
class Baseline:
    """Another design; `start` has it run with so many threads in each process of its server.

    Unless it `has_threads` their number means nothing to it.
    """

    name: str
    start: Callable[[int], AbstractContextManager[Target]]
    has_threads: bool = True
