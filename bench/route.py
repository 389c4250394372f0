"""The one address that each design has, the same as the product's."""

from collections.abc import Callable

from django.http import HttpResponseBase
from django.urls import URLPattern, path

#: An application and a chat that need not exist where nobody looks.
MESSAGES = "/api/v1/applications/0123456789abcdef01234567/chats/1/messages"


def messages(view: Callable[..., HttpResponseBase]) -> URLPattern:
    """Where messages are posted."""
    return path("api/v1/applications/<str:token>/chats/<int:number>/messages", view)
