"""The routes, whole: one comparison finds each."""

from django.urls import re_path

from api.views import APPLICATIONS, TOKEN
from applications.views import ApplicationCollection, ApplicationItem, ApplicationKey

urlpatterns = [
    re_path(rf"{APPLICATIONS}/?\Z", ApplicationCollection.as_view()),
    re_path(rf"{APPLICATIONS}/{TOKEN}/?\Z", ApplicationItem.as_view()),
    re_path(rf"{APPLICATIONS}/{TOKEN}/key/?\Z", ApplicationKey.as_view()),
]
