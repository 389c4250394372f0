"""Django's settings: startproject's, without a database."""

from bench.stock_settings import *  # noqa: F403

ROOT_URLCONF = "bench.noop.urls"
