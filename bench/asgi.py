"""What the product's server serves of the project that DJANGO_SETTINGS_MODULE names.

Its views have so many threads (BENCH_THREADS); with none they run on the event loop, as the
product's creates do.
"""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from chatsystem.event_loop import Server
from django.core.wsgi import get_wsgi_application

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_threads = int(os.environ["BENCH_THREADS"])
_project = get_wsgi_application()


class _Site:
    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse", /
    ) -> Iterable[bytes]:
        return _project(environ, start_response)

    def may_be_suspended(self, environ: "WSGIEnvironment") -> bool:
        return not _threads


application = Server(_Site(), max(_threads, 1))
