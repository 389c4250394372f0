"""How the API's description tells of keys (drf-spectacular finds these once they are imported)."""

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call] # the library's
    """A key."""

    target_class = "applications.authentication.KeyAuthentication"
    name = "key"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, object]:
        """The header."""
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "The key of the application, or an operator's. Not needed where "
            "REQUIRE_KEYS is off.",
        }


class StaffScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call] # the library's
    """A login."""

    target_class = "applications.authentication.StaffSession"
    name = "staff"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, object]:
        """The cookie."""
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": settings.SESSION_COOKIE_NAME,
            "description": "The admin's session of a member of the staff, who needs the same "
            "permissions as there. Changes need the header X-CSRFToken as well.",
        }
