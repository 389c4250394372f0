"""Django's settings: startproject's, without a database."""

from bench.stock_settings import *  # noqa: F403
from bench.stock_settings import INSTALLED_APPS as STOCK_APPS
from bench.stock_settings import SERVER_APPS

INSTALLED_APPS = [*STOCK_APPS, *SERVER_APPS]
ROOT_URLCONF = "bench.noop.urls"
