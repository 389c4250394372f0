"""The application by WSGI, as gunicorn serves it; uvicorn does by chatsystem.asgi."""

import gc
import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsystem.settings")

from chatsystem.sharing import share_counters

share_counters()
django.setup(set_prefix=False)

from chatsystem import sampler  # noqa: E402 - needs Django set up
from chatsystem.handler import SiteHandler  # noqa: E402

application = SiteHandler()

# What is loaded by now stays, so it need not be looked through for garbage, over and over; and a
# busy process makes so many objects that the default has it look 50 times a second.
gc.collect()
gc.freeze()
gc.set_threshold(20_000, 20, 50)

# Made in the process that serves: this module is loaded after the servers have forked.
sampler.start()
