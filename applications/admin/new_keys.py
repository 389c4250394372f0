"""New keys in the admin: each is on one page, once, and nowhere afterwards.

The page with a key is the very answer to the form that made it, so a key is neither in a cookie nor
in the session, which is stored, nor in an address; a browser keeps none of the admin's pages. Sent
again, the form does nothing (operations.admin.confirmation).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.contrib.admin import ModelAdmin
from django.db import DatabaseError, InterfaceError
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from infra.errors import Conflict, DomainError
from operations.admin.confirmation import (
    FIELD,
    Confirmation,
    confirmation_page,
    new_token,
    take_token,
)
from operations.admin.log import CHANGE, note

#: Where a new row keeps its key until it is shown.
_SHOWN = "key_to_show"

Holder = TypeVar("Holder", bound=Model)

_REPLACE = Confirmation(
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
    page = confirmation_page(admin, request, holders, _REPLACE)
    if page is not None:
        return page
    return _page(admin, request, [_replaced(request, holder, replace) for holder in holders])


class AddsWithKey(ModelAdmin[Any]):
    """The admin of something that gets its first key when it is added."""

    add_form_template = "applications/admin/add_form.html"

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any
    ) -> HttpResponse:
        """The form for a new row, with a mark that it keeps when it is shown again with errors."""
        if options.get("add"):
            mark = request.POST.get(FIELD) or new_token(request)
            context |= {"field": FIELD, "mark": mark}
        return super().render_change_form(request, context, *args, **options)

    def refuse_repeat(self, request: HttpRequest) -> None:
        """Raises AddedBefore if the form has a mark that was answered. Programs need no mark."""
        mark = request.POST.get(FIELD)
        if mark is not None and not take_token(request, mark):
            raise AddedBefore

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        """The page with the key, in place of the next page, which could not show it."""
        return _page(self, request, [NewKey(obj, vars(obj).pop(_SHOWN))])


class AddedBefore(Conflict):
    """A form was sent twice."""

    def __init__(self) -> None:
        super().__init__("This was added before, and is not added twice.")


def show_key(holder: Model, key: str) -> None:
    """Remember the key of a new row until the answer to its form shows it."""
    vars(holder)[_SHOWN] = key


def _page(admin: ModelAdmin[Any], request: HttpRequest, keys: Sequence[NewKey]) -> HttpResponse:
    context = {
        **admin.admin_site.each_context(request),
        "title": "New keys",
        "opts": admin.opts,
        "media": admin.media,
        "keys": keys,
    }
    return TemplateResponse(request, "applications/admin/new_keys.html", context)


def _replaced(request: HttpRequest, holder: Holder, replace: Callable[[Holder], str]) -> NewKey:
    try:
        key = replace(holder)
        note(request, holder, CHANGE, "Replaced the key.")
    except DomainError as error:
        return NewKey(holder, error=error.detail)
    except (DatabaseError, InterfaceError) as error:
        return NewKey(holder, error=f"The database failed, so replace it again: {error}")
    return NewKey(holder, key)
