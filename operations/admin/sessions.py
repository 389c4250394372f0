"""Idle sessions: a session ends SESSION_IDLE_MINUTES after the last page.

Requests that a page repeats by itself do not count: an open dashboard would otherwise keep its user
logged in for ever.
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

#: The end of a session is extended at most this often, so that few requests write.
_EXTEND_STEP = timedelta(minutes=1)
_POLLED = "is_polled"


def polled(view: View) -> View:
    """Mark a view that a page requests again and again by itself."""
    setattr(view, _POLLED, True)
    return view


class IdleSessions:
    """Middleware that extends sessions in use."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer the request, then extend its session."""
        response = self._get_response(request)
        view = getattr(request.resolver_match, "func", None)
        # A view that did not read the session needs no login.
        if request.session.accessed and not getattr(view, _POLLED, False):
            extend_session(request.session)
        return response


def extend_session(session: Any) -> None:
    """Extend the session of a user who is logged in.

    Only its end is written, so the data written by a parallel request are kept. If the database
    refuses writes, the page is shown and the session ends early.
    """
    if not session.session_key or SESSION_KEY not in session:
        return
    end = timezone.now() + timedelta(seconds=settings.SESSION_COOKIE_AGE)
    ends_sooner = Session.objects.filter(pk=session.session_key, expire_date__lt=end - _EXTEND_STEP)
    with suppress(DatabaseError):
        ends_sooner.update(expire_date=end)
