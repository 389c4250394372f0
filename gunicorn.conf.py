"""Gunicorn's settings, for `gunicorn -c gunicorn.conf.py` and `manage.py serve`."""

import multiprocessing
import os
import resource
import signal
import socket
import sys
from typing import Any

from api.gunicorn_worker import OTHER_FILES
from chatsystem import env
from chatsystem.installation import stop
from infra import timeouts
from infra.logs.formatting import logging_configuration

_environment = env.read()

wsgi_app = "chatsystem.asgi:application"
worker_class = "api.gunicorn_worker.Worker"
bind = f"127.0.0.1:{_environment.port}"
# With one socket for all processes the first to wake would accept most connections. With a socket
# for each process on the same port, the kernel distributes the connections.
reuse_port = True
backlog = 4096
workers = _environment.web_processes
asgi_loop = "uvloop"
asgi_lifespan = "off"
http_parser = "fast"
graceful_timeout = timeouts.SERVER_GRACEFUL_SECONDS
timeout = timeouts.SERVER_SILENT_SECONDS
keepalive = timeouts.SERVER_KEEPALIVE_SECONDS
limit_request_line = 8190
limit_request_fields = 100
limit_request_field_size = 8190
# The API answers an unknown method by itself.
permit_unconventional_http_method = True
# Django decides whether to trust a proxy's headers (the setting HTTPS).
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}
control_socket_disable = True
logger_class = "api.gunicorn_worker.Log"
loglevel = _environment.log_level.lower()
logconfig_dict = logging_configuration(
    as_json=_environment.logs_json, level=_environment.log_level, secrets=_environment.secrets
)
# Log lines of gunicorn look like those of other libraries.
logconfig_dict["loggers"]["gunicorn.error"] = {"propagate": True}


def on_starting(server: Any) -> None:
    """Refuse to start if the service could not work. Runs once, before any process is forked."""
    os.register_at_fork(after_in_child=_end_by_signals)
    for address in server.cfg.address:
        _refuse_port_in_use(address)
    _raise_file_limit(server.log)
    _preflight()


def _end_by_signals() -> None:
    """Let signals end a new process until it has handlers: those of the master lose them."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, lambda number, _: os._exit(128 + number))


def _refuse_port_in_use(address: Any) -> None:
    """Exit if the port is in use, since reuse_port would let a second server share it."""
    if not isinstance(address, tuple):
        return
    host, port = address
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            stop(f"cannot listen on port {port} of {host}: {error}")


def _raise_file_limit(log: Any) -> None:
    """Raise the limit of open files to fit WEB_CONNECTIONS, or warn that it is too low."""
    wanted = _environment.web_connections + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < wanted:
        log.warning(
            "WEB_CONNECTIONS is %d, but a process may have %d files: it takes %d connections",
            _environment.web_connections,
            hard,
            hard - OTHER_FILES,
        )


def _preflight() -> None:
    """Run the checks in a child process, so that the workers inherit nothing of Django."""
    checker = multiprocessing.get_context("fork").Process(target=_check)
    checker.start()
    checker.join()
    if checker.exitcode:
        sys.exit(checker.exitcode)


def _check() -> None:
    import django  # noqa: PLC0415 - the master does not load it

    from chatsystem.preflight import preflight  # noqa: PLC0415

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsystem.settings")
    django.setup()
    preflight()
