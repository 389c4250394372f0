"""It runs, on the product's own server, in as many threads as that has."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from bench import leftovers
from bench.plain.names import KEY_PREFIX, QUEUE
from bench.servers import same_server
from bench.services import Services


@contextmanager
def plain(services: Services) -> Iterator[str]:
    """The URL where it listens; everything is gone afterwards."""
    leftovers.remove(services, queue=QUEUE, key_prefix=KEY_PREFIX)
    try:
        with same_server("bench.plain", threads=settings.ENVIRONMENT.web_threads) as url:
            yield url
    finally:
        leftovers.remove(services, queue=QUEUE, key_prefix=KEY_PREFIX)
