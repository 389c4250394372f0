"""`manage.py serve`: the web server, granian, as the embedded profile and the stack run it."""

import os
import socket
import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from chatsystem.installation import stop
from chatsystem.preflight import preflight
from core.timeouts import SERVER_GRACEFUL_SECONDS


class Command(BaseCommand):
    """Check what must hold, then become granian."""

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
        """Never returns: this process is granian's from here on."""
        preflight()
        _refuse_a_taken_port(options["host"], options["port"])
        command = [sys.executable, "-m", "granian", *_options()]
        command += ["--host", options["host"], "--port", str(options["port"])]
        os.execv(command[0], [*command, "chatsystem.rsgi:application"])  # noqa: S606


def _refuse_a_taken_port(host: str, port: int) -> None:
    """Granian's workers would fail one after the other, each with a traceback."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            stop(f"port {port} of {host} is not to be had: {error}")


def _options() -> list[str]:
    environment = settings.ENVIRONMENT
    options = granian_options(environment.web_processes, environment.log_level.lower())
    options += ["--interface", "rsgi", "--loop", "asyncio"]
    if environment.logs_json:
        options += ["--log-config", str(settings.BASE_DIR / "core/logs/granian.json")]
    return options


def granian_options(processes: int, log_level: str) -> list[str]:
    """How granian is run everywhere, whatever it serves."""
    return [
        "--workers",
        str(processes),
        # Shared by the processes; also the number of connections that are served at once, idle ones
        # included.
        "--backlog",
        "4096",
        # HTTP/2 in clear text has no way to say that a request comes without its length.
        "--http",
        "1",
        "--no-ws",
        "--respawn-failed-workers",
        # Longer than a request may wait for its turn and for the database together.
        "--workers-kill-timeout",
        str(SERVER_GRACEFUL_SECONDS),
        "--log-level",
        log_level,
    ]
