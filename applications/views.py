"""The routes of applications, whole: one comparison finds each.

Clients know no numbers of applications, so the list has an opaque cursor. It wraps the bound of a
keyset page (listing.pages) over the primary key, newest first.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from functools import partial

from django.contrib.admin.models import CHANGE
from django.http import HttpResponse
from django.urls import re_path
from rest_framework.request import Request

from api.requests import expected_versions, idempotent_request, replay_headers
from api.views import (
    APPLICATIONS,
    TOKEN,
    ApiView,
    conditional_response,
    created_response,
    json_response,
)
from applications import services
from applications.authentication import new_key
from applications.models import Application
from applications.schema import describe_collection, describe_item, describe_key
from infra.errors import FieldError, Invalid
from ingest.fields import clean_name, required_value
from ingest.read_your_writes import Window
from ingest.records import timestamp
from listing.pages import Pager, QuerySetSource, query_parameters, read_window
from operations.admin.log import note_edited, note_stored, write


def application_json(application: Application) -> dict[str, object]:
    """The fields of the contract, in its order."""
    return {
        "token": application.token,
        "name": application.name,
        "chats_count": application.chats_count,
        "created_at": timestamp(application.created_at),
        "updated_at": timestamp(application.updated_at),
    }


_PLAIN = re.compile(rb"before:([1-9][0-9]{0,17})\Z")


def window_at_cursor(parameters: Mapping[str, str]) -> Window:
    """The page that the parameters `cursor` and `limit` ask for. Raises Invalid."""
    limit = read_window({"limit": parameters["limit"]} if "limit" in parameters else {}).limit
    return Window(before=_decode(parameters.get("cursor")), limit=limit, descending=True)


def as_cursor(bounds: Mapping[str, int]) -> dict[str, object]:
    """The parameters of a link to the page with these bounds."""
    encoded = urlsafe_b64encode(f"before:{bounds['before']}".encode()).decode().rstrip("=")
    others = {name: bound for name, bound in bounds.items() if name != "before"}
    return {"cursor": encoded, **others}


def _decode(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    try:
        encoded = cursor.encode("ascii")
        plain = urlsafe_b64decode(encoded + b"=" * (-len(encoded) % 4))
    except ValueError:  # not ASCII, not base64
        plain = b""
    match = _PLAIN.match(plain)
    if not match:
        message = "cursor must come from a link of this list."
        raise Invalid(FieldError("cursor", "invalid", message))
    return int(match[1])


@describe_collection
class ApplicationCollection(ApiView):
    """All applications."""

    models = (Application,)

    def get(self, request: Request) -> HttpResponse:
        """A page, newest first."""
        parameters = query_parameters(request)
        pager = Pager[Application](
            source=QuerySetSource(Application.objects.all(), "pk"),
            number_of=lambda application: application.pk,
            represent=application_json,
            as_parameters=as_cursor,
        )
        return json_response(pager.page(request, parameters, window_at_cursor(parameters)))

    def post(self, request: Request) -> HttpResponse:
        """Create one; only this answer shows its key, and not to who repeats the request."""
        once = idempotent_request(request)
        name = clean_name(required_value(request.data, "name"))
        key = new_key()
        application = services.create_application(name=name, key=key, request=once)
        if staff := self.staff_user:
            note_stored(staff, Application.objects.filter(token=application.token))
        data = application_json(application)
        data["key"] = None if once and once.is_repeat else key
        return created_response(
            self.http_request, application.token, data, once, version=application.version
        )


@describe_item
class ApplicationItem(ApiView):
    """One application."""

    models = (Application,)

    def get(self, request: Request, token: str) -> HttpResponse:
        """Show it."""
        application = services.get_application(token=token)
        return conditional_response(
            request, application.version, partial(application_json, application)
        )

    def put(self, request: Request, token: str) -> HttpResponse:
        """Rename it."""
        application = services.rename_application(
            token=token,
            name=clean_name(required_value(request.data, "name")),
            expected=expected_versions(request),
        )
        if staff := self.staff_user:
            note_edited(staff, application, ["name"])
        return conditional_response(
            request, application.version, partial(application_json, application)
        )

    patch = put


@describe_key
class ApplicationKey(ApiView):
    """The key of one application, which nobody can read."""

    models = (Application,)
    actions = {**ApiView.actions, "POST": "change"}  # as the button in the admin

    def post(self, request: Request, token: str) -> HttpResponse:
        """Make a new one; the old one stops at once."""
        once = idempotent_request(request)
        if once is None:
            key: str | None = services.rotate_key(token=token)
        else:
            key = services.rotate_key_once(token=token, request=once)
        if key is not None and (staff := self.staff_user):
            write(staff, Application.objects.filter(token=token), CHANGE, "Replaced the key.")
        return json_response({"key": key}, headers=replay_headers(once))


urlpatterns = [
    re_path(rf"{APPLICATIONS}/?\Z", ApplicationCollection.as_view()),
    re_path(rf"{APPLICATIONS}/{TOKEN}/?\Z", ApplicationItem.as_view()),
    re_path(rf"{APPLICATIONS}/{TOKEN}/key/?\Z", ApplicationKey.as_view()),
]
