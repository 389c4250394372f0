"""Middleware that only pages for people need: the API has no sessions, no forms, no messages.

It would cost each request of the API a tenth of its time to have them prepared and never used.
"""

from typing import Any

from django.contrib.auth.middleware import AuthenticationMiddleware as Authentication
from django.contrib.messages.middleware import MessageMiddleware as Messages
from django.contrib.sessions.middleware import SessionMiddleware as Sessions
from django.http import HttpRequest
from django.middleware.csrf import CsrfViewMiddleware as Csrf
from django.utils.deprecation import MiddlewareMixin

API = "/api/"


class _ForPages(MiddlewareMixin):
    """Before the middleware proper in the order of methods: passes requests of the API by."""

    def __call__(self, request: HttpRequest) -> Any:
        if request.path_info.startswith(API):
            return self.get_response(request)
        return super().__call__(request)


class SessionMiddleware(_ForPages, Sessions):
    """Django's, for pages."""


class CsrfViewMiddleware(_ForPages, Csrf):
    """Django's, for pages; the API's views are exempt by themselves."""


class AuthenticationMiddleware(_ForPages, Authentication):
    """Django's, for pages."""


class MessageMiddleware(_ForPages, Messages):
    """Django's, for pages."""
