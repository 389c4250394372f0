"""It runs, on the product's own server with the product's own arguments."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from bench import leftovers
from bench.plain.names import KEY_PREFIX, QUEUE
from bench.processes import free_port, listens, running
from bench.services import Services
from chatsystem.management.commands.serve import granian_options

_SETTINGS = {"DJANGO_SETTINGS_MODULE": "bench.plain.settings"}


@contextmanager
def plain(services: Services) -> Iterator[str]:
    """The URL where it listens; everything is gone afterwards."""
    port = free_port()
    command = [sys.executable, "-m", "granian", *granian_options()]
    command += ["--host", "127.0.0.1", "--port", str(port), "bench.plain.wsgi:application"]
    leftovers.remove(services, queue=QUEUE, key_prefix=KEY_PREFIX)
    try:
        with running("plain-web", command, _SETTINGS, partial(listens, port)):
            yield f"http://127.0.0.1:{port}"
    finally:
        leftovers.remove(services, queue=QUEUE, key_prefix=KEY_PREFIX)
