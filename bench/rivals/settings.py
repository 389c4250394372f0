"""Django settings of the other designs: what `startproject` writes, and the stack's database."""

import os

import dj_database_url

from bench.services import services

ALLOWED_HOSTS = ["127.0.0.1"]
SECRET_KEY = "only for measurements on the loopback interface"  # noqa: S105 - guards nothing
DEBUG = False
TIME_ZONE = "UTC"
USE_TZ = True
ROOT_URLCONF = "bench.rivals.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "bench.rivals",
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

DATABASES = {"default": dict(dj_database_url.parse(services().database_url, conn_max_age=600))}

if os.environ["BENCH_INDEX"]:
    INSTALLED_APPS += ["django_elasticsearch_dsl"]
    ELASTICSEARCH_DSL = {"default": {"hosts": services().elasticsearch_url}}

if os.environ["BENCH_PRODUCT_SERVER"]:
    # Only here: importing the package sets up the product's Celery application.
    from chatsystem import env

    #: What the product's server needs of a project: its bounds, and the models that it imports.
    ENVIRONMENT = env.read()
    INSTALLED_APPS += ["infra", "ingest"]
