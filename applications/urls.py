"""Routes below /api/v1."""

from django.urls import re_path

from applications.views import ApplicationCollection, ApplicationItem, ApplicationKey
from core.http.views import TOKEN

urlpatterns = [
    re_path(r"^applications/?\Z", ApplicationCollection.as_view()),
    re_path(rf"^applications/{TOKEN}/?\Z", ApplicationItem.as_view()),
    re_path(rf"^applications/{TOKEN}/key/?\Z", ApplicationKey.as_view()),
]
