"""The same address twice, under the name of each view."""

from django.urls import include, path

from bench.noop.views import MessageCollection, message_collection
from bench.route import messages

urlpatterns = [
    path("django/", include([messages(message_collection)])),
    path("drf/", include([messages(MessageCollection.as_view())])),
]
