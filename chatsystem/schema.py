"""What of the API's description concerns all routes at once."""

from functools import cache
from typing import Any

from django.http import HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import requires_csrf_token
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response

from api.content_security import CSP, CSP_HEADER
from core.http.views import OptionsView

Endpoint = tuple[str, str, str, Any]


def without_trailing_slash(endpoints: list[Endpoint]) -> list[Endpoint]:
    """The trailing slash is optional on every route; shown is the address without it."""
    return [(path.rstrip("/"), *rest) for path, *rest in endpoints]


def with_tags(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Group each operation under what it is about: what its path names last."""
    tags = [tag["name"] for tag in result["tags"]]
    for path, operations in result["paths"].items():
        for operation in operations.values():
            operation["tags"] = [max(tags, key=path.rfind)]
    return result


#: What leads from an item that was made to the operations on it: its number or token, by the name
#: that these give it.
_MADE = {
    "applications_create": {"token": "token"},
    "applications_chats_create": {"token": "application_token", "chat_number": "chat_number"},
    "applications_chats_messages_create": {
        "token": "application_token",
        "chat_number": "chat_number",
        "message_number": "message_number",
    },
}


def with_links(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Say how the answer of a create leads on (OpenAPI's links)."""
    operations = [
        operation
        for path in result["paths"].values()
        for operation in path.values()
        if "operationId" in operation
    ]
    for operation in operations:
        fields = _MADE.get(operation["operationId"])
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
    """Make the description in each format; to be called before the process serves.

    That takes a tenth of a second, and the library loads parts of itself at the first time, which
    fails where several threads do it at once.
    """
    for renderer in SpectacularAPIView.renderer_classes:
        _rendered(renderer.media_type)


class SchemaView(OptionsView):
    """The description itself."""

    authentication_classes = ()
    permission_classes = ()
    renderer_classes = SpectacularAPIView.renderer_classes

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        """In the format that the client accepts, by default YAML."""
        media_type = request.accepted_renderer.media_type
        return HttpResponse(_rendered(media_type), content_type=media_type)


# What an operator tries out needs the token of the cookie that his login has left; the API has no
# middleware that would read it.
@method_decorator(requires_csrf_token, name="dispatch")
class DocsView(OptionsView, SpectacularSwaggerSplitView):
    """Its page, on which each operation can be tried out."""

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        """With a policy, as the admin's pages have it."""
        response = super().finalize_response(request, response, *args, **kwargs)
        response[CSP_HEADER] = CSP
        return response
