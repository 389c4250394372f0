"""The routes, whole: one comparison finds each."""

from django.urls import re_path

from applications.views import ApplicationCollection, ApplicationItem, ApplicationKey
from core.http.views import APPLICATIONS, TOKEN

urlpatterns = [
    re_path(rf"{APPLICATIONS}/?\Z", ApplicationCollection.as_view()),
    re_path(rf"{APPLICATIONS}/{TOKEN}/?\Z", ApplicationItem.as_view()),
    re_path(rf"{APPLICATIONS}/{TOKEN}/key/?\Z", ApplicationKey.as_view()),
]
