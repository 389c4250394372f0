"""Content-Security-Policy of the admin and the API pages: all content comes from this site.

Inline styles are allowed, because the plots of the dashboard and the API's pages set them; inline
scripts are not.
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

CSP_HEADER = "Content-Security-Policy"
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; "
    "img-src 'self' data: blob:; font-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


class ContentSecurityPolicy:
    """Adds the policy to all pages."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Handle the request, and add the policy."""
        response = self._get_response(request)
        response[CSP_HEADER] = CSP
        return response
