"""Django's settings for the copied migrations: apps with the previous release's labels."""

import os

from chatsystem.databases import database

DATABASES = {"default": database(os.environ["DATABASE_URL"])}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SECRET_KEY = "of-no-use"  # noqa: S105 - nothing is signed with it
USE_TZ = True
TIME_ZONE = "UTC"
_HERE = "tests.upgrade.release_before"
#: The apps of the product; Django takes the last part of a name for the label.
LABELS = ("core", "chatsystem", "applications", "chats", "messages_app", "search")
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    *(f"{_HERE}.{label}" for label in LABELS),
]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]
SILENCED_SYSTEM_CHECKS = ["admin"]
