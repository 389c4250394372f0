"""`manage.py serve`: the web server, as the embedded profile and the stack run it."""

import os
import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings

from infra.commands import LineCommand


class Command(LineCommand):
    """Become gunicorn with gunicorn.conf.py, which checks what must hold."""

    help = (
        "Serve the API, the admin and the health routes with gunicorn: WEB_CONCURRENCY processes "
        "with WEB_THREADS threads each. On SIGTERM, requests under way are finished first."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """--host, --port."""
        parser.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1")
        parser.add_argument(
            "--port", type=int, default=settings.ENVIRONMENT.port, help="default: PORT"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Does not return."""
        host = f"[{options['host']}]" if ":" in options["host"] else options["host"]
        configuration = str(settings.BASE_DIR / "gunicorn.conf.py")
        bind = f"{host}:{options['port']}"
        gunicorn = [sys.executable, "-m", "gunicorn", "-c", configuration, "--bind", bind]
        os.chdir(settings.BASE_DIR)
        os.execv(sys.executable, gunicorn)  # noqa: S606 - there is nothing for a shell in it
