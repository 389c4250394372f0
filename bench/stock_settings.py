"""What `startproject` writes, as far as a route without a page needs it; for the baselines."""

from typing import Any

import dj_database_url

from bench.services import services
from chatsystem import env

#: What the product's server needs of a project: its bounds, and the models that its imports reach.
ENVIRONMENT = env.read()
SERVER_APPS = ["operations"]

ALLOWED_HOSTS = ["127.0.0.1"]
SECRET_KEY = "only for measurements on the loopback interface"  # noqa: S105 - guards nothing
DEBUG = False
USE_TZ = True

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"


def stack_database() -> dict[str, Any]:
    """The stack's, with connections that are kept."""
    database: dict[str, Any] = dict(
        dj_database_url.parse(services().database_url, conn_max_age=600)
    )
    return {**database, "OPTIONS": {"charset": "utf8mb4"}}
