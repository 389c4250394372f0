"""The configuration that the application, its commands and its tests get: all by environment."""

import os
import pwd

from localstack.layout import Layout
from localstack.services import elasticsearch, mariadb, rabbitmq, redis
from localstack.services.binaries import SYSTEM_PATH
from localstack.settings import Settings

# What only the web server reads: another value is no reason to start the others anew.
WEB_ONLY = frozenset(
    {
        *("PORT", "BASE_URL", "RATE_LIMIT", "OPERATOR_NETWORKS", "WEB_CONCURRENCY", "WEB_THREADS"),
        *("WEB_QUEUE", "WEB_CONNECTIONS", "WEB_CONNECTIONS_PER_ADDRESS", "WEB_REQUEST_BYTES"),
    }
)


def application(settings: Settings) -> dict[str, str]:
    """What `scripts/stack env` prints."""
    port = settings.ports.web
    return {
        "BASE_URL": f"http://127.0.0.1:{port}",
        "PORT": str(port),
        "DATABASE_URL": mariadb.url(settings),
        "REDIS_URL": redis.url(settings),
        "BROKER_URL": rabbitmq.url(settings),
        "ELASTICSEARCH_URL": elasticsearch.url(settings),
        "SECRET_KEY": settings.secrets.django,
        "DEBUG": "0",
        "ALLOWED_HOSTS": "127.0.0.1,localhost",
        "REQUIRE_KEYS": "0",
        "RATE_LIMIT": "",
        "WEB_CONCURRENCY": str(settings.options.web),
        "OPERATOR_NETWORKS": "127.0.0.1",
        **settings.options.extra,
    }


def process(layout: Layout, settings: Settings) -> dict[str, str]:
    """The whole environment of a process of the application; nothing of the caller's gets in."""
    base = {
        "PATH": f"{layout.binaries}:{SYSTEM_PATH}",
        "HOME": pwd.getpwuid(os.geteuid()).pw_dir,
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        # Of the running stack alone: commands and tests count for themselves.
        "PROMETHEUS_MULTIPROC_DIR": str(layout.run / "metrics"),
    }
    return base | application(settings)
