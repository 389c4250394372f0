"""One of the other designs on the product's HTTP edge.

Its views run in this number of threads; with 0 threads they run on the event loop.
"""

import os
from http import HTTPStatus
from typing import TYPE_CHECKING

from django.core.wsgi import get_wsgi_application

from api.asgi import Application, Executor, RawResponse, RequestPlan

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_MAX_REQUEST_BYTES = 1024 * 1024

#: More than a load has connections, so that no request is refused.
_QUEUE = 10_000
_THREADS = int(os.environ["BENCH_THREADS"])
_EXECUTOR = Executor.REQUEST_THREADS if _THREADS else Executor.EVENT_LOOP

_project = get_wsgi_application()


class _Site:
    def plan(self, environ: "WSGIEnvironment") -> RequestPlan:
        return RequestPlan(_EXECUTOR, _MAX_REQUEST_BYTES)

    def early_response(self, environ: "WSGIEnvironment") -> RawResponse | None:
        return None

    def response(self, environ: "WSGIEnvironment") -> RawResponse:
        started: list[tuple[str, list[tuple[str, str]]]] = []
        chunks = _project(environ, lambda *start: started.append(start[:2]))  # type: ignore[arg-type] # it returns nothing to write with
        content = b"".join(chunks)
        chunks.close()
        status, headers = started[-1]
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        return RawResponse(int(status[:3]), encoded, content)

    def error_response(
        self, environ: "WSGIEnvironment", status: HTTPStatus, detail: str
    ) -> RawResponse:
        return RawResponse(status, [], detail.encode())


application = Application(_Site(), threads=max(_THREADS, 1), queue=_QUEUE)
