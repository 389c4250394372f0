"""The addresses of the design that is served: the product's, and of no other design."""

import os
from collections.abc import Mapping, Sequence

from django.urls import URLPattern, path

from bench.rivals import stock_views, views

_MESSAGES = "api/v1/applications/<str:token>/chats/<int:number>/messages"
_MESSAGE = f"{_MESSAGES}/<int:message_number>"
_SEARCH = f"{_MESSAGES}/search"

_ROUTES: Mapping[str, Sequence[URLPattern]] = {
    "noop_django": [path(_MESSAGES, views.noop_django), path(_MESSAGE, views.noop_django)],
    "noop_drf": [path(_MESSAGES, views.NoopDrf.as_view())],
    "textbook": [path(_MESSAGES, views.Textbook.as_view())],
    "textbook_indexed": [path(_MESSAGES, views.TextbookIndexed.as_view())],
    "sync": [path(_MESSAGES, views.Sync.as_view())],
    "stock_item": [path(_MESSAGE, stock_views.StockItem.as_view())],
    "stock_list": [path(_MESSAGES, stock_views.StockList.as_view())],
    "stock_search": [path(_SEARCH, stock_views.StockSearch.as_view())],
    "stock_edit": [path(_MESSAGE, stock_views.StockEdit.as_view())],
    "stock_mixed": [
        path(_MESSAGES, stock_views.StockListAndCreate.as_view()),
        path(_MESSAGE, stock_views.StockItemAndEdit.as_view()),
        path(_SEARCH, stock_views.StockSearch.as_view()),
    ],
}

urlpatterns = _ROUTES[os.environ["BENCH_RIVAL"]]
