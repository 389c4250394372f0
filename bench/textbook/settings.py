"""Its Django settings: startproject's, and the stack's database."""

from bench.stock_settings import *  # noqa: F403
from bench.stock_settings import INSTALLED_APPS as STOCK_APPS
from bench.stock_settings import stack_database

INSTALLED_APPS = [*STOCK_APPS, "bench.textbook"]
ROOT_URLCONF = "bench.textbook.urls"
DATABASES = {"default": stack_database()}
