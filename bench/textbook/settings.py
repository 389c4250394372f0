"""Its Django settings: startproject's, and the stack's database."""

import dj_database_url

from bench.services import services
from bench.stock_settings import *  # noqa: F403
from bench.stock_settings import INSTALLED_APPS as STOCK_APPS

INSTALLED_APPS = [*STOCK_APPS, "bench.textbook"]
ROOT_URLCONF = "bench.textbook.urls"
DATABASES = {"default": dj_database_url.parse(services().database_url, conn_max_age=600)}
DATABASES["default"]["OPTIONS"] = {"charset": "utf8mb4"}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
