"""Actions that cannot be taken back are asked about first, and one answer does them once.

The question carries a mark that the session remembers until it is answered: an answer that is sent
again, by a reload or a second click, finds no mark and does nothing. Of two at the same time one
finds it. A form whose answer shows something once carries such a mark too.
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
_UNANSWERED = "unanswered_confirmations"
#: Pages that one user may leave open; the oldest are forgotten.
_MOST = 20


@dataclass(frozen=True)
class Question:
    """What is asked: `action` by its name, `warning` says what cannot be taken back."""

    action: str
    title: str
    warning: str


def question_page(
    admin: ModelAdmin[Any], request: HttpRequest, rows: Iterable[Model], question: Question
) -> HttpResponse | None:
    """The page that asks; None once it was answered, by this very request."""
    mark = request.POST.get(FIELD)
    if mark is None:
        return _ask(admin, request, rows, question)
    if take_mark(request, mark):
        return None
    message = "This was answered before, and is not done twice. Select again to do it once more."
    admin.message_user(request, message, messages.WARNING)
    return HttpResponseRedirect(request.get_full_path())


def new_mark(request: HttpRequest) -> str:
    """A mark for a form that is shown now."""
    mark = uuid4().hex
    request.session[_UNANSWERED] = [*request.session.get(_UNANSWERED, []), mark][-_MOST:]
    return mark


def take_mark(request: HttpRequest, mark: str) -> bool:
    """Whether the form with this mark is answered for the first time, by this very request.

    The session as it is stored decides, locked for that moment: each request has read its own.
    """

    def take() -> list[str] | None:
        session = Session.objects.select_for_update().filter(pk=request.session.session_key).first()
        stored = session.get_decoded() if session else {}
        if session is None or mark not in stored.get(_UNANSWERED, []):
            return None
        left = [other for other in stored[_UNANSWERED] if other != mark]
        session.session_data = Session.objects.encode({**stored, _UNANSWERED: left})
        session.save(update_fields=["session_data"])
        return left

    left = in_transaction(take)
    if left is None:
        return False
    request.session[_UNANSWERED] = left
    return True


def _ask(
    admin: ModelAdmin[Any], request: HttpRequest, rows: Iterable[Model], question: Question
) -> HttpResponse:
    mark = new_mark(request)
    context = {
        **admin.admin_site.each_context(request),
        "title": question.title,
        "opts": admin.opts,
        "media": admin.media,
        "question": question,
        "rows": list(rows),
        "checkbox": ACTION_CHECKBOX_NAME,
        "field": FIELD,
        "mark": mark,
    }
    return TemplateResponse(request, "operations/admin/question.html", context)
