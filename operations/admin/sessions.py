"""Sessions that end when nobody uses them: SESSION_IDLE_MINUTES after the last page.

Requests that a page sends by itself do not count: a dashboard that was left open would keep its
user logged in for ever.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any, TypeVar

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

View = TypeVar("View", bound=Callable[..., Any])

#: The end of a session is put off in steps, so that few pages write.
_STEP = timedelta(minutes=1)
_BY_ITSELF = "is_asked_by_a_page"


def asked_by_a_page(view: View) -> View:
    """Mark a view that a page asks again and again, whether somebody looks at it or not."""
    setattr(view, _BY_ITSELF, True)
    return view


class IdleSessions:
    """Puts off the end of a session that is used."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer, then put off the end."""
        response = self._get_response(request)
        view = getattr(request.resolver_match, "func", None)
        # A view that did not read the session needs no login.
        if request.session.accessed and not getattr(view, _BY_ITSELF, False):
            put_off_end(request.session)
        return response


def put_off_end(session: Any) -> None:
    """Put off the end of the session of a user who is logged in.

    Only the end is written, so the data that another request writes are kept. If the database takes
    no writes, the session ends early and the page is shown.
    """
    if not session.session_key or SESSION_KEY not in session:
        return
    end = timezone.now() + timedelta(seconds=settings.SESSION_COOKIE_AGE)
    ends_sooner = Session.objects.filter(pk=session.session_key, expire_date__lt=end - _STEP)
    with suppress(DatabaseError):
        ends_sooner.update(expire_date=end)
