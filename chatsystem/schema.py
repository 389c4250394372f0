"""What of the API's description concerns all routes at once."""

from typing import Any

from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from core.http.views import OptionsView

Endpoint = tuple[str, str, str, Any]


def without_trailing_slash(endpoints: list[Endpoint]) -> list[Endpoint]:
    """The trailing slash is optional on every route; shown is the address without it."""
    return [(path.rstrip("/"), *rest) for path, *rest in endpoints]


class SchemaView(OptionsView, SpectacularAPIView):
    """The description itself."""


class DocsView(OptionsView, SpectacularSwaggerView):
    """Its pages."""
