"""New keys in the admin: each is on one page, once, and nowhere afterwards.

The page with the keys is the answer to the question whether they are to be replaced, so a key is
neither in the session, which is stored, nor in an address; a browser keeps none of the admin's
pages. Sent again, the answer does nothing (core.admin.confirming).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.db import DatabaseError, InterfaceError
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from core.admin.confirming import Question, question_page
from core.admin.log import CHANGE, note
from core.errors import DomainError

Holder = TypeVar("Holder", bound=Model)

_REPLACE = Question(
    action="replace_keys",
    title="Replace keys",
    warning="The present keys stop at once: whoever uses them is turned away until he has the new "
    "ones. Each new key is shown once, on the page that comes next.",
)


@dataclass(frozen=True)
class NewKey:
    """Whose key it is; what went wrong, where there is none."""

    holder: Model
    key: str = ""
    error: str = ""


def replace_keys(
    admin: ModelAdmin[Any],
    request: HttpRequest,
    holders: Iterable[Holder],
    replace: Callable[[Holder], str],
) -> HttpResponse:
    """Ask, or replace the keys and show them; one that fails leaves the others as they are."""
    page = question_page(admin, request, holders, _REPLACE)
    if page is not None:
        return page
    keys = [_replaced(request, holder, replace) for holder in holders]
    context = {
        **admin.admin_site.each_context(request),
        "title": "New keys",
        "opts": admin.opts,
        "media": admin.media,
        "keys": keys,
    }
    return TemplateResponse(request, "applications/admin/new_keys.html", context)


def show_key(admin: ModelAdmin[Any], request: HttpRequest, key: str) -> None:
    """The first key of what was just added, above the next page."""
    admin.message_user(request, f"The key, shown this once: {key}", messages.WARNING)


def _replaced(request: HttpRequest, holder: Holder, replace: Callable[[Holder], str]) -> NewKey:
    try:
        key = replace(holder)
        note(request, holder, CHANGE, "Replaced the key.")
    except DomainError as error:
        return NewKey(holder, error=error.detail)
    except (DatabaseError, InterfaceError) as error:
        return NewKey(holder, error=f"The database failed, so replace it again: {error}")
    return NewKey(holder, key)
