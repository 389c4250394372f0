"""Stock views of Django REST framework over the product's table, as its tutorial writes them."""

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.filters import OrderingFilter
from rest_framework.generics import (
    GenericAPIView,
    ListAPIView,
    RetrieveAPIView,
    RetrieveUpdateAPIView,
    UpdateAPIView,
)
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from bench.rivals.models import StoredMessage
from bench.rivals.views import MessageSerializer, TextbookIndexed

_PAGE = 50


class StoredMessageSerializer(serializers.ModelSerializer[StoredMessage]):
    """What the product shows of a message."""

    class Meta:
        model = StoredMessage
        fields = (
            *("application_token", "chat_number", "message_number", "body", "sender", "metadata"),
            *("created_at", "updated_at"),
        )
        read_only_fields = ("application_token", "chat_number", "message_number")


class _OfChat(GenericAPIView[StoredMessage]):
    """The messages of the chat in the address."""

    serializer_class = StoredMessageSerializer
    lookup_field = "message_number"

    def get_queryset(self) -> QuerySet[StoredMessage]:
        """The rows of the chat."""
        return StoredMessage._default_manager.filter(
            application_token=self.kwargs["token"], chat_number=self.kwargs["number"]
        )


class StockItem(_OfChat, RetrieveAPIView[StoredMessage]):
    """GET of one message."""


class StockEdit(_OfChat, UpdateAPIView[StoredMessage]):
    """PATCH of one message."""


class StockItemAndEdit(_OfChat, RetrieveUpdateAPIView[StoredMessage]):
    """Both on one address."""


class _Pages(CursorPagination):
    page_size = _PAGE
    ordering = "message_number"


class StockList(_OfChat, ListAPIView[StoredMessage]):
    """Pages by number, from either end."""

    pagination_class = _Pages
    filter_backends = (OrderingFilter,)
    ordering_fields = ("message_number",)
    ordering = "message_number"


class StockListAndCreate(TextbookIndexed, StockList):
    """Both on one address. New messages go to a table of their own, and to the index."""


class StockSearch(APIView):
    """The newest hits in a chat, shown from their documents."""

    def get(self, request: Request, token: str, number: int) -> Response:
        """A page."""
        # The library is set up only for designs with an index.
        from bench.rivals.documents import MessageDocument

        search: Any = (
            MessageDocument.search()
            .filter("term", application_token=token)
            .filter("term", chat_number=number)
            .query("match_phrase", body=request.query_params["query"])
            .sort("-message_number")[:_PAGE]
        )
        return Response({"results": MessageSerializer(list(search), many=True).data})
