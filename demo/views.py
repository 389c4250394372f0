"""The route of the demo.

Its script talks to the public API alone, so this package imports nothing of the others.
"""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import re_path
from django.views.decorators.http import require_safe


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """The page; it says whether the API requires keys."""
    keys_required = settings.ENVIRONMENT.keys_required
    return render(request, "demo/page.html", {"keys_required": keys_required})


urlpatterns = [re_path(r"^demo/?\Z", page, name="demo")]
