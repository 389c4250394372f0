"""`manage.py serve`: the web server, as the embedded profile and the stack run it."""

import socket
from argparse import ArgumentParser
from typing import Any

from django.conf import settings

from chatsystem import web_server
from chatsystem.installation import stop
from chatsystem.preflight import preflight
from core.management.printing import LineCommand


class Command(LineCommand):
    """Check what must hold, then serve."""

    help = (
        "Serve the API, the admin and the health routes. WEB_CONCURRENCY processes with "
        "WEB_THREADS threads each; ends what it has begun on SIGTERM."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """--host, --port."""
        parser.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1")
        parser.add_argument(
            "--port", type=int, default=settings.ENVIRONMENT.port, help="default: PORT"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Returns when the server has ended."""
        preflight()
        _refuse_a_taken_port(options["host"], options["port"])
        web_server.run(options["host"], options["port"])


def _refuse_a_taken_port(host: str, port: int) -> None:
    """A second server would share the port with the first."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            stop(f"port {port} of {host} is not to be had: {error}")
