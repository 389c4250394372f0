"""Its one address, the same as the product's."""

from django.urls import path

from bench.plain.views import MessageCollection

urlpatterns = [
    path(
        "api/v1/applications/<str:token>/chats/<int:number>/messages",
        MessageCollection.as_view(),
    )
]
