"""Requests that a page of another site makes, refused where no key is asked for.

A browser on this machine, or near it, reaches a service that strangers do not, and any page can
make it send a form there. Browsers say where a request comes from, in headers that no page can set.
Programs that are no browsers send neither header. A name that a stranger points at this machine is
refused before, since it is none of ALLOWED_HOSTS. Reads change nothing and are not judged.
"""

from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest
from rest_framework.exceptions import PermissionDenied

_READING = ("GET", "HEAD", "OPTIONS")
#: Sec-Fetch-Site of requests by this service's own pages, or by the user directly. Other ports of
#: this machine are "same-site", which is not enough.
_OWN = ("same-origin", "none")


def refuse_other_sites(request: HttpRequest) -> None:
    """Raises PermissionDenied for a change that a page of another site asks for."""
    if request.method in _READING:
        return
    origin = request.META.get("HTTP_ORIGIN")
    if origin in getattr(settings, "CORS_ALLOWED_ORIGINS", ()):
        return
    site = request.META.get("HTTP_SEC_FETCH_SITE")
    is_foreign = _is_foreign(origin, request.get_host()) if site is None else site not in _OWN
    if is_foreign:
        raise PermissionDenied("Pages of other sites may not do this: see CORS_ORIGINS.")


def _is_foreign(origin: str | None, own: str) -> bool:
    """Whether an old browser names another site, or hides it. Browsers send no junk."""
    if origin is None or "://" not in origin:
        return origin == "null"
    try:
        return urlsplit(origin).netloc.lower() != own.lower()
    except ValueError:
        return True
