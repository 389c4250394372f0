"""The routes of applications: read the request, call the service, show the result."""

from django.http import HttpResponse
from rest_framework.request import Request

from applications import selectors, services
from applications.cursor import as_cursor, window_at_cursor
from applications.keys import new_key
from applications.models import Application
from applications.representation import represent_application
from applications.schema import describe_collection, describe_item, describe_key
from applications.staff import note_edited, note_new_application, note_new_key
from core.http.answers import answer
from core.http.conditional import expected_versions, shown
from core.http.paging import Pager, QuerySetSource
from core.http.parsers import query_parameters
from core.http.repeats import REPLAYED, repeatable
from core.http.views import ApiView, created
from core.text import clean_name, field


@describe_collection
class ApplicationCollection(ApiView):
    """All applications."""

    models = (Application,)

    def get(self, request: Request) -> HttpResponse:
        """A page, newest first."""
        parameters = query_parameters(request)
        pager = Pager[Application](
            source=QuerySetSource(selectors.all_applications(), "pk"),
            number_of=lambda application: application.pk,
            represent=represent_application,
            as_parameters=as_cursor,
        )
        return answer(pager.page(request, parameters, window_at_cursor(parameters)))

    def post(self, request: Request) -> HttpResponse:
        """Create one; only this answer shows its key, and not to who repeats the request."""
        once = repeatable(request)
        name = clean_name(field(request.data, "name"))
        key = new_key()
        application = services.create_application(name=name, key=key, request=once)
        note_new_application(request, application.token)
        data = represent_application(application)
        data["key"] = None if once and once.is_repeat else key
        return created(request, application.token, data, once, version=application.version)


@describe_item
class ApplicationItem(ApiView):
    """One application."""

    models = (Application,)

    def get(self, request: Request, token: str) -> HttpResponse:
        """Show it."""
        application = selectors.get_application(token=token)
        return shown(request, application.version, represent_application(application))

    def put(self, request: Request, token: str) -> HttpResponse:
        """Rename it."""
        application = services.rename_application(
            token=token,
            name=clean_name(field(request.data, "name")),
            expected=expected_versions(request),
        )
        note_edited(request, application, "Name")
        return shown(request, application.version, represent_application(application))

    patch = put


@describe_key
class ApplicationKey(ApiView):
    """The key of one application, which nobody can read."""

    models = (Application,)
    actions = {**ApiView.actions, "POST": "change"}  # as the button in the admin

    def post(self, request: Request, token: str) -> HttpResponse:
        """Make a new one; the old one stops at once."""
        once = repeatable(request)
        if once is None:
            key: str | None = services.rotate_key(token=token)
        else:
            key = services.rotate_key_once(token=token, request=once)
        if key is not None:
            note_new_key(request, token)
        return answer({"key": key}, headers={REPLAYED: "true"} if once and once.is_repeat else None)
