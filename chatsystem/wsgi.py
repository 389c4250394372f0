"""The WSGI application that granian and gunicorn serve."""

import os

from django.core.wsgi import get_wsgi_application

from core.http.chunked import with_length

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsystem.settings")

application = with_length(get_wsgi_application())
