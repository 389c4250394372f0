"""One of the other designs on the product's HTTP edge; its views run on the event loop."""

from http import HTTPStatus
from typing import TYPE_CHECKING

from django.core.wsgi import get_wsgi_application

from api.asgi import Application, Executor, RawResponse, RequestPlan

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_MAX_REQUEST_BYTES = 1024 * 1024

_project = get_wsgi_application()


class _Site:
    def plan(self, environ: "WSGIEnvironment") -> RequestPlan:
        return RequestPlan(Executor.EVENT_LOOP, _MAX_REQUEST_BYTES)

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


application = Application(_Site(), threads=1, queue=1)
