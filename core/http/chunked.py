"""Requests whose length is not said beforehand (Transfer-Encoding: chunked).

Django takes a request without Content-Length for an empty one. So the body is read here, as far as
the largest route would, and its length is said in the client's place.
"""

from collections.abc import Iterable
from io import BytesIO
from typing import TYPE_CHECKING

from core.http.parsers import LENGTH_UNKNOWN, MAX_REQUEST_BYTES

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def with_length(application: "WSGIApplication") -> "WSGIApplication":
    """The application, called with a Content-Length in any case."""

    def sized(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
            # One byte more than is allowed, so that the view sees that it was too much.
            body = environ["wsgi.input"].read(MAX_REQUEST_BYTES + 1)
            environ["wsgi.input"] = BytesIO(body)
            environ["CONTENT_LENGTH"] = str(len(body))
            environ[LENGTH_UNKNOWN] = True
        return application(environ, start_response)

    return sized
