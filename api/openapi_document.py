"""The OpenAPI document as a whole: what is added to all routes, and the views that show it.

Settings name the hooks, which drf-spectacular calls. RATE_LIMIT adds the status 429 and headers to
each route.
"""

from functools import cache
from typing import Any

from django.http import HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import requires_csrf_token
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response

from api.handler import CSP, CSP_HEADER
from api.openapi import JSON_SCHEMA, JSON_VALUE, PROBLEM
from api.views import OptionsView

_LIMIT_HEADERS = {
    "RateLimit-Limit": "The number of requests that a client may send at once.",
    "RateLimit-Remaining": "The number of them that is left now.",
    "RateLimit-Reset": "Seconds until all of them are available again.",
    "Retry-After": "Seconds until one more is admitted.",
}
_TOO_MANY_REQUESTS = {
    "description": "Too many requests; if a limit is set, each response has RateLimit headers.",
    "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/ProblemShape"}}},
    "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in _LIMIT_HEADERS},
}


def with_limits(result: dict[str, Any], **_: object) -> dict[str, Any]:
    """Add 429 and the headers of limits to each route; a hook of drf-spectacular."""
    result["components"]["headers"] = {
        name: {"schema": {"type": "integer"}, "description": description}
        for name, description in _LIMIT_HEADERS.items()
    }
    result["components"]["responses"] = {"TooManyRequests": _TOO_MANY_REQUESTS}
    for operations in result["paths"].values():
        for operation in operations.values():
            operation["responses"]["429"] = {"$ref": "#/components/responses/TooManyRequests"}
    return result


def with_changes(result: dict[str, Any], **_: object) -> dict[str, Any]:
    """Require a field of each change, and add the values of metadata; a hook as well."""
    schemas = result["components"]["schemas"]
    for name, schema in schemas.items():
        if name.startswith("Changed"):
            schema["anyOf"] = [{"required": [field]} for field in schema["properties"]]
    for operations in result["paths"].values():
        if "patch" in operations:
            operations["patch"]["requestBody"]["required"] = True
    result["components"]["schemas"] = dict(sorted({**schemas, JSON_VALUE: JSON_SCHEMA}.items()))
    return result


Endpoint = tuple[str, str, str, Any]


def without_trailing_slash(endpoints: list[Endpoint]) -> list[Endpoint]:
    """Show each path without the trailing slash, which is optional on every route."""
    return [(path.rstrip("/"), *rest) for path, *rest in endpoints]


def with_tags(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Group each operation under the resource that its path names last."""
    tags = [tag["name"] for tag in result["tags"]]
    for path, operations in result["paths"].items():
        for operation in operations.values():
            operation["tags"] = [max(tags, key=path.rfind)]
    return result


#: For each create, the path parameters of the operations on the new item, and the response fields
#: that their values come from.
_LINKED_FIELDS = {
    "applications_create": {"token": "token"},
    "applications_webhooks_create": {"token": "application_token", "webhook_id": "id"},
    "applications_chats_create": {"token": "application_token", "chat_number": "chat_number"},
    "applications_chats_messages_create": {
        "token": "application_token",
        "chat_number": "chat_number",
        "message_number": "message_number",
    },
}


def with_links(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Link the response of a create to the operations on the new item (OpenAPI links)."""
    operations = [
        operation
        for path in result["paths"].values()
        for operation in path.values()
        if "operationId" in operation
    ]
    for operation in operations:
        fields = _LINKED_FIELDS.get(operation["operationId"])
        if fields is not None:
            operation["responses"]["201"]["links"] = {
                leads_to["operationId"]: {
                    "operationId": leads_to["operationId"],
                    "parameters": {name: f"$response.body#/{of}" for name, of in fields.items()},
                }
                for leads_to in operations
                if _path_parameters(leads_to) == set(fields)
            }
    return result


def _path_parameters(operation: dict[str, Any]) -> set[str]:
    return {one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"}


@cache
def _rendered(media_type: str) -> bytes:
    schema = SpectacularAPIView.generator_class().get_schema(public=True)  # type: ignore[no-untyped-call] # the library's
    renderers = (renderer() for renderer in SpectacularAPIView.renderer_classes)
    renderer = next(one for one in renderers if one.media_type == media_type)
    content = renderer.render(schema, renderer_context={})
    return content.encode() if isinstance(content, str) else content


def render_schemas() -> None:
    """Render the description in each format. Call this before the process serves requests.

    The first rendering takes a tenth of a second, and the library then loads modules in a way that
    fails if several threads do so at once.
    """
    for renderer in SpectacularAPIView.renderer_classes:
        _rendered(renderer.media_type)


class SchemaView(OptionsView):
    """The OpenAPI document."""

    authentication_classes = ()
    permission_classes = ()
    renderer_classes = SpectacularAPIView.renderer_classes

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        """Return it in the format that the client accepts, by default YAML."""
        media_type = request.accepted_renderer.media_type
        return HttpResponse(_rendered(media_type), content_type=media_type)


# A request that an operator tries out needs the CSRF token from the cookie of the login. The API
# has no middleware that reads it.
@method_decorator(requires_csrf_token, name="dispatch")
class DocsView(OptionsView, SpectacularSwaggerSplitView):
    """The documentation page, where each operation can be tried out."""

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        """Add the same content security policy as in the admin."""
        response = super().finalize_response(request, response, *args, **kwargs)
        response[CSP_HEADER] = CSP
        return response
