"""A page takes as many queries with many rows as with few."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext

from applications.models import Application, OperatorKey
from applications.services import make_operator_key
from chats.models import Chat
from ingest.dead_letters.set_aside import set_aside
from ingest.models import DeadLetter
from messages_app.models import Message
from tests.admin.pages import address, listing
from tests.admin.test_paging import fill
from tests.rows import new_message

Page = Callable[[Client, type[Model]], Any]


def more(count: int, user: Model, model: type[Model]) -> None:
    """So many more rows of the model, and of those that applications have below them."""
    fill(count)
    token = Application.objects.latest("pk").token
    of_applications = ContentType.objects.get_for_model(Application)
    for number in range(1, count + 1):
        if model is DeadLetter:
            set_aside(new_message(token, 1, "x").numbered(number), "a test")
        elif model is OperatorKey:
            make_operator_key(name=f"{token} {number}")
        elif model is LogEntry:
            LogEntry.objects.create(
                user_id=user.pk,
                content_type=of_applications,
                object_id="1",
                object_repr="x",
                action_flag=CHANGE,
            )


def queries(client: Client, page: Page, model: type[Model]) -> int:
    with CaptureQueriesContext(connection) as captured:
        page(client, model).render()
    for query in captured.captured_queries:
        assert "COUNT(" not in query["sql"]
        assert "OFFSET" not in query["sql"]
    return len(captured)


def detail(client: Client, model: type[Model]) -> Any:
    return client.get(address(model, "change", model._default_manager.latest("pk").pk))


@pytest.mark.parametrize("page", [listing, detail])
@pytest.mark.parametrize("model", [Application, Chat, Message, DeadLetter, OperatorKey, LogEntry])
def test_a_page_takes_as_many_queries_with_many_rows_as_with_few(
    admin_client: Client, admin_user: Model, page: Page, model: type[Model]
) -> None:
    more(2, admin_user, model)
    page(admin_client, model)  # content types are remembered
    few = queries(admin_client, page, model)

    more(60, admin_user, model)

    assert queries(admin_client, page, model) == few
