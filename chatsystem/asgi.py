"""The ASGI application that uvicorn serves."""

from chatsystem.wsgi import application as _site  # first, since it sets Django up

# isort: split

from django.conf import settings

from chatsystem.event_loop import Server

application = Server(_site, settings.ENVIRONMENT.web_threads)
