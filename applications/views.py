"""The routes of applications: read the request, call the service, show the result."""

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from applications import selectors, services
from applications.cursor import as_cursor, window_at_cursor
from applications.models import Application
from applications.representation import represent_application
from applications.schema import describe_collection, describe_item
from core.http.conditional import expected_versions, shown
from core.http.paging import Pager, QuerySetSource
from core.http.parsers import query_parameters
from core.http.repeats import repeatable
from core.http.views import ApiView, created
from core.text import clean_name, field


@describe_collection
class ApplicationCollection(ApiView):
    """All applications."""

    def get(self, request: Request) -> Response:
        """A page, newest first."""
        parameters = query_parameters(request)
        pager = Pager[Application](
            source=QuerySetSource(selectors.all_applications(), "pk"),
            number_of=lambda application: application.pk,
            represent=represent_application,
            as_parameters=as_cursor,
        )
        return Response(pager.page(request, parameters, window_at_cursor(parameters)))

    def post(self, request: Request) -> HttpResponse:
        """Create one."""
        once = repeatable(request)
        name = clean_name(field(request.data, "name"))
        application = services.create_application(name=name, request=once)
        data = represent_application(application)
        return created(request, application.token, application.version, data, once)


@describe_item
class ApplicationItem(ApiView):
    """One application."""

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
        return shown(request, application.version, represent_application(application))

    patch = put
