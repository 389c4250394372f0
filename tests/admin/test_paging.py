"""List pages show each row once, newest first, at a cost independent of the table's size."""

import re
from typing import Any

import pytest
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from applications.models import Application
from chats.models import Chat
from messages_app.models import Message
from operations.admin.records import RecordAdmin
from tests.admin.pages import listing, new_chats, new_messages, rows

PAGE = 50


def key(row: Any) -> int:
    return int(row.pk)


def fill(count: int) -> None:
    """So many more of each: applications, chats of one of them, messages of one of those."""
    now = timezone.now()
    Application.objects.bulk_create(
        Application(name=f"application {number}", created_at=now, updated_at=now)
        for number in range(count)
    )
    application = Application.objects.latest("pk")
    chats = new_chats(application, count)
    new_messages(chats[-1], count)


def plan_of(sql: str) -> str:
    """How SQLite would go about it."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
        return "\n".join(step[-1] for step in cursor.fetchall())


def queries_of(client: Client, model: type[Model], **query: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        listing(client, model, **query).render()
    assert not [query for query in captured.captured_queries if "COUNT(" in query["sql"]]
    assert not [query for query in captured.captured_queries if "OFFSET" in query["sql"]]
    return len(captured)


def follow(client: Client, answer: Any, link: str) -> list[list[Any]]:
    """The pages that are reached by following one kind of link."""
    pages = []
    while target := getattr(answer.context["cl"], link):
        answer = client.get(f"{answer.request['PATH_INFO']}{target}")
        pages.append(rows(answer))
    return pages


@pytest.mark.both
@pytest.mark.parametrize("model", [Application, Chat, Message])
def test_a_list_begins_with_the_newest_rows(admin_client: Client, model: type[Model]) -> None:
    fill(PAGE + 10)
    newest = model._default_manager.order_by("-pk")[:PAGE]
    assert list(map(key, rows(listing(admin_client, model)))) == list(map(key, newest))


@pytest.mark.both
@pytest.mark.parametrize("model", [Application, Chat, Message])
def test_the_number_of_queries_does_not_grow_with_the_rows(
    admin_client: Client, model: type[Model]
) -> None:
    fill(10)
    few = queries_of(admin_client, model)
    fill(290)
    assert queries_of(admin_client, model) == few
    by_age = model._default_manager.order_by("pk")
    middle, early = by_age[150], by_age[PAGE - 1]
    assert queries_of(admin_client, model, p=f"after.{middle.pk}") == few + 1  # where that row is
    # Where the next numbers are too few, what lies behind them too.
    assert queries_of(admin_client, model, p=f"after.{early.pk}") <= few + 2


@pytest.mark.both
@pytest.mark.parametrize("search", ["", "{token}", "{token} 1"])
def test_walking_the_pages_shows_every_row_once_there_and_back(
    admin_client: Client,
    application: Application,
    search: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(RecordAdmin, "list_per_page", 5)
    one, *_, other = new_chats(application, 3)
    for chat, count in ((one, 9), (other, 7), (one, 3)):
        new_messages(chat, count)
    first = listing(admin_client, Message, q=search.format(token=application.token))
    forth = [rows(first), *follow(admin_client, first, "next_link")]
    seen = [key(row) for page in forth for row in page]
    assert len(seen) == len(set(seen)) == (12 if "1" in search else 19)
    assert list(map(len, forth[:-1])) == [5] * (len(forth) - 1)

    last = listing(admin_client, Message, q=first.context["cl"].query, p=f"before.{seen[-1]}")
    back = [rows(last), *follow(admin_client, last, "previous_link")]
    assert list(map(key, back[0])) == seen[-6:-1]
    assert list(map(key, back[-1])) == seen[:5]
    assert {key(row) for page in back for row in page} == set(seen[:-1])


@pytest.mark.both
@pytest.mark.parametrize("search", ["{token} 1", "{token}"])
@pytest.mark.parametrize("direction", ["after", "before"])
def test_a_page_asks_for_the_numbers_next_to_it_first(
    admin_client: Client, chat: Chat, search: str, direction: str
) -> None:
    """Without both bounds MariaDB may read all of a large chat."""
    middle = new_messages(chat, 3 * PAGE)[PAGE]
    place = f"{direction}.{middle.pk}"
    q = search.format(token=chat.application_token)
    with CaptureQueriesContext(connection) as captured:
        listing(admin_client, Message, q=q, p=place)

    of_rows = [query["sql"] for query in captured.captured_queries if "beginning" in query["sql"]]
    assert re.search(r"message_number\W+<=? \d+", of_rows[0])
    assert re.search(r"message_number\W+>=? \d+", of_rows[0])


@pytest.mark.parametrize(
    "place", ["", "2", "after.", "after.0", "after.999999999999999999", "before.-1", "after.1\0"]
)
def test_a_page_that_does_not_exist_is_the_first_page(
    admin_client: Client, message: Message, place: str
) -> None:
    assert rows(listing(admin_client, Message, p=place)) == [message]


@pytest.mark.parametrize("search", ["", "{token}", "{token} 1", "{token} 1 1"])
@pytest.mark.parametrize("model", [Application, Chat, Message])
def test_each_list_reads_a_range_of_an_index(
    admin_client: Client, message: Message, model: type[Model], search: str
) -> None:
    row = model._default_manager.get()
    for place in ("", f"after.{row.pk}", f"before.{row.pk}"):
        with CaptureQueriesContext(connection) as captured:
            q = search.format(token=message.application_token)
            listing(admin_client, model, q=q, p=place)
        for query in captured.captured_queries:
            if f'FROM "{model._meta.db_table}"' in query["sql"]:
                plan = plan_of(query["sql"])
                assert "TEMP B-TREE" not in plan, query["sql"]
                # Without a condition it is the primary key, read from its end.
                assert plan.startswith("SEARCH") or "WHERE" not in query["sql"]
