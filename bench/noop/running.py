"""They run, by the server that serves them fastest."""

from collections.abc import Iterator
from contextlib import contextmanager

from bench.route import MESSAGES
from bench.servers import granian
from bench.target import Target

DJANGO = "noop_django"
DRF = "noop_drf"


@contextmanager
def noop_django(threads: int) -> Iterator[Target]:
    """The view of Django."""
    with granian("bench.noop", threads=threads) as url:
        yield Target(DJANGO, f"{url}/django{MESSAGES}")


@contextmanager
def noop_drf(threads: int) -> Iterator[Target]:
    """The view of Django REST framework."""
    with granian("bench.noop", threads=threads) as url:
        yield Target(DRF, f"{url}/drf{MESSAGES}")
