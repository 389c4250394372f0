"""The ASGI application that gunicorn serves."""

import gc
import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsystem.settings")

from infra.prometheus_multiprocess import use_shared_directory

use_shared_directory()
django.setup(set_prefix=False)

from django.conf import settings  # noqa: E402 - needs Django set up

from api.asgi import Application  # noqa: E402
from api.handler import SiteHandler  # noqa: E402
from api.openapi_document import render_schemas  # noqa: E402
from operations import sampler  # noqa: E402

application = Application(
    SiteHandler(), settings.ENVIRONMENT.web_threads, settings.ENVIRONMENT.web_queue
)

render_schemas()

# Objects loaded by now live as long as the process, so exclude them from garbage collection. And a
# busy process makes so many objects that the default threshold would collect 50 times a second.
gc.collect()
gc.freeze()
gc.set_threshold(20_000, 20, 50)

# Each web process loads this module, after the fork.
sampler.start()
