"""New keys in the admin: each is shown once, on one page.

The page with a key is the direct answer to the form that made it. So a key is never in a cookie, in
the stored session or in an address, and browsers do not cache the admin's pages. A form that is
sent again does nothing (operations.admin.confirmation).
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

#: The attribute of a new row that holds its key until it is shown.
_SHOWN = "key_to_show"

Holder = TypeVar("Holder", bound=Model)

_REPLACE = Confirmation(
    action="replace_keys",
    title="Replace keys",
    warning="The present keys stop working at once: clients are refused until they have the new "
    "ones. Each new key is shown once, on the next page.",
)


@dataclass(frozen=True)
class NewKey:
    """A new key and its holder; or the error, if there is no key."""

    holder: Model
    key: str = ""
    error: str = ""


def replace_keys(
    admin: ModelAdmin[Any],
    request: HttpRequest,
    holders: Iterable[Holder],
    replace: Callable[[Holder], str],
) -> HttpResponse:
    """Ask for confirmation, or replace the keys and show them. Each one fails on its own."""
    page = confirmation_page(admin, request, holders, _REPLACE)
    if page is not None:
        return page
    return _page(admin, request, [_replaced(request, holder, replace) for holder in holders])


class AddsWithKey(ModelAdmin[Any]):
    """The admin of objects that get their first key when they are added."""

    add_form_template = "applications/admin/add_form.html"

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any
    ) -> HttpResponse:
        """The form for a new row, with a mark that survives a second display with errors."""
        if options.get("add"):
            mark = request.POST.get(FIELD) or new_token(request)
            context |= {"field": FIELD, "mark": mark}
        return super().render_change_form(request, context, *args, **options)

    def refuse_repeat(self, request: HttpRequest) -> None:
        """Raises AddedBefore if the form's mark was used already. Programs need no mark."""
        mark = request.POST.get(FIELD)
        if mark is not None and not take_token(request, mark):
            raise AddedBefore

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Show the page with the key instead of redirecting."""
        return _page(self, request, [NewKey(obj, vars(obj).pop(_SHOWN))])


class AddedBefore(Conflict):
    """A form was sent twice."""

    def __init__(self) -> None:
        super().__init__("This form was sent before; nothing is added twice.")


def show_key(holder: Model, key: str) -> None:
    """Keep the key of a new row until the answer to its form shows it."""
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
        return NewKey(holder, error=f"The database failed; replace the key again: {error}")
    return NewKey(holder, key)
