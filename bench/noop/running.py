"""They run, as the product's creates do: on the event loop of the same server."""

from collections.abc import Iterator
from contextlib import contextmanager

from bench.route import MESSAGES
from bench.servers import same_server
from bench.target import Target

DJANGO = "noop_django"
DRF = "noop_drf"


@contextmanager
def noop_django(_threads: int) -> Iterator[Target]:
    """The view of Django."""
    with same_server("bench.noop") as url:
        yield Target(DJANGO, f"{url}/django{MESSAGES}")


@contextmanager
def noop_drf(_threads: int) -> Iterator[Target]:
    """The view of Django REST framework."""
    with same_server("bench.noop") as url:
        yield Target(DRF, f"{url}/drf{MESSAGES}")
