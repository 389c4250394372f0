"""Gunicorn's settings: `gunicorn -c gunicorn.conf.py` serves the same as `manage.py serve`.

What the server itself refuses (malformed HTTP, a request line over 8190 bytes) is a bare status.
"""

import os
from typing import Any

from chatsystem import env
from core import timeouts
from core.logs.configuration import configuration

_environment = env.read()

wsgi_app = "chatsystem.wsgi:application"
bind = f"127.0.0.1:{_environment.port}"
worker_class = "chatsystem.gunicorn.BareErrorsWorker"
workers = _environment.web_processes
threads = _environment.web_threads
graceful_timeout = timeouts.SERVER_GRACEFUL_SECONDS
timeout = timeouts.SERVER_SILENT_SECONDS
keepalive = timeouts.SERVER_KEEPALIVE_SECONDS
accesslog = None
loglevel = _environment.log_level.lower()
logconfig_dict = configuration(
    as_json=_environment.logs_json, level=_environment.log_level, secrets=_environment.secrets
)
# As the lines of other libraries.
logconfig_dict["loggers"]["gunicorn.error"] = {"propagate": True}


def on_starting(server: Any) -> None:  # noqa: ARG001 - the name is gunicorn's
    """Refuse to start where nothing could work; runs once, before any process is forked."""
    import django  # noqa: PLC0415 - settings are read here and not when this file is looked at

    from chatsystem.preflight import preflight  # noqa: PLC0415

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsystem.settings")
    django.setup()
    preflight()
