"""Confirmation of actions that cannot be undone, and forms that work only once.

The page carries a token that the session keeps until the form is submitted. A form submitted again,
by a reload or a second click, finds no token and does nothing; of two submitted at the same time
one finds it. A form whose result is shown only once carries such a token, too.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.sessions.models import Session
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from infra.database import in_transaction

FIELD = "confirmation"
_OPEN = "unanswered_confirmations"
#: A session keeps the tokens of this many open pages; the oldest are dropped.
_MAX_OPEN = 20


@dataclass(frozen=True)
class Confirmation:
    """The text of a confirmation page; `warning` says what cannot be undone."""

    action: str
    title: str
    warning: str


def confirmation_page(
    admin: ModelAdmin[Any], request: HttpRequest, rows: Iterable[Model], confirmation: Confirmation
) -> HttpResponse | None:
    """The page that asks for confirmation; None if this request confirms the action."""
    token = request.POST.get(FIELD)
    if token is not None:
        if take_token(request, token):
            return None
        message = (
            "This form was already submitted, and nothing was done again. "
            "To repeat it, select again."
        )
        admin.message_user(request, message, messages.WARNING)
        return HttpResponseRedirect(request.get_full_path())
    context = {
        **admin.admin_site.each_context(request),
        "title": confirmation.title,
        "opts": admin.opts,
        "media": admin.media,
        "confirmation": confirmation,
        "rows": list(rows),
        "checkbox": ACTION_CHECKBOX_NAME,
        "field": FIELD,
        "token": new_token(request),
    }
    return TemplateResponse(request, "operations/admin/confirmation.html", context)


def new_token(request: HttpRequest) -> str:
    """A token for a form, which the session keeps."""
    token = uuid4().hex
    request.session[_OPEN] = [*request.session.get(_OPEN, []), token][-_MAX_OPEN:]
    return token


def take_token(request: HttpRequest, token: str) -> bool:
    """Remove the token; whether this request is the first one to submit its form.

    The session is read again from the database and locked: each request has its own copy.
    """

    def take() -> list[str] | None:
        session = Session.objects.select_for_update().filter(pk=request.session.session_key).first()
        stored = session.get_decoded() if session else {}
        if session is None or token not in stored.get(_OPEN, []):
            return None
        left = [other for other in stored[_OPEN] if other != token]
        session.session_data = Session.objects.encode({**stored, _OPEN: left})
        session.save(update_fields=["session_data"])
        return left

    left = in_transaction(take)
    if left is None:
        return False
    request.session[_OPEN] = left
    return True
