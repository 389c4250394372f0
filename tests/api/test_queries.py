"""The number of queries per request does not grow with the number of rows."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from applications.models import Application
from chats.models import Chat
from messages_app.models import Message
from tests.api.client import Api

REQUESTS: dict[str, Callable[[Api, str], Any]] = {
    "create application": lambda api, _: api.post("/applications", {"name": "x"}),
    "create chat": lambda api, chat: api.post(chat.rpartition("/")[0], {"name": "x"}),
    "create message": lambda api, chat: api.post(f"{chat}/messages", {"body": "x"}),
    "create messages in bulk": lambda api, chat: api.post(
        f"{chat}/messages/bulk", {"messages": [{"body": "x"}] * 40}
    ),
    "read application": lambda api, chat: api.get(chat.rpartition("/chats")[0]),
    "read chat": lambda api, chat: api.get(chat),
    "read message": lambda api, chat: api.get(f"{chat}/messages/1"),
    "list applications": lambda api, _: api.get("/applications", limit=200),
    "list chats": lambda api, chat: api.get(chat.rpartition("/")[0], limit=200),
    "list messages": lambda api, chat: api.get(f"{chat}/messages", limit=200),
    "list messages further on": lambda api, chat: api.get(f"{chat}/messages", after=2, limit=2),
    "events": lambda api, chat: api.get(f"{chat.rpartition('/chats')[0]}/events", limit=200),
    "search": lambda api, chat: api.get(f"{chat}/messages/search", query="message"),
    "rename application": lambda api, chat: api.put(chat.rpartition("/chats")[0], {"name": "y"}),
    "rename chat": lambda api, chat: api.put(chat, {"name": "y"}),
    "edit message": lambda api, chat: api.patch(f"{chat}/messages/1", {"body": "y"}),
}
#: A change takes three for its event.
AT_MOST = {"read": 1, "list": 4, "search": 3, "create": 6, "rename": 5, "edit": 5, "events": 6}


@pytest.mark.parametrize("request_name", REQUESTS)
def test_a_request_takes_few_queries_whatever_the_number_of_rows(
    api: Api, request_name: str
) -> None:
    application = api.new_application()
    chat = api.new_chat(application)
    api.say(chat, *(f"message {n}" for n in range(5)))
    few = queries_of(request_name, api, chat)
    fill_above(application, 60, first=100)
    fill(chat, 300, first=100)

    many = queries_of(request_name, api, chat)

    assert len(many) == len(few), many
    assert len(many) <= AT_MOST[request_name.split(maxsplit=1)[0]], many


def queries_of(request_name: str, api: Api, chat: str) -> list[str]:
    """The statements of one request, without those that only mark a transaction."""
    with CaptureQueriesContext(
        connection,
    ) as captured:
        answer = REQUESTS[request_name](api, chat)
    assert answer.status_code in (200, 201), answer.content
    statements = [query["sql"] for query in captured.captured_queries]
    return [sql for sql in statements if not sql.startswith(("SAVEPOINT", "RELEASE"))]


def fill_above(application: str, count: int, first: int) -> None:
    """So many more applications, and chats of this one."""
    now = timezone.now()
    Application.objects.bulk_create(
        Application(name=f"application {number}", created_at=now, updated_at=now)
        for number in range(count)
    )
    token = application.rpartition("/")[2]
    Application.objects.filter(token=token).update(number_ceiling=first + count - 1)
    Chat.objects.bulk_create(
        Chat(
            application_token=token,
            chat_number=number,
            name=f"chat {number}",
            created_at=now,
            updated_at=now,
        )
        for number in range(first, first + count)
    )


def fill(chat: str, count: int, first: int = 1) -> None:
    now = "2026-01-01T00:00:00Z"
    Chat.objects.filter(application_token=chat.split("/")[2], chat_number=1).update(
        number_ceiling=first + count - 1
    )
    Message.objects.bulk_create(
        Message(
            application_token=chat.split("/")[2],
            chat_number=1,
            message_number=number,
            body=f"message {number}",
            created_at=now,
            updated_at=now,
        )
        for number in range(first, first + count)
    )


@pytest.mark.stack
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("window", ["after=2000", "before=2000&order=desc", "after=10&before=3900"])
def test_a_page_in_the_middle_of_the_largest_chat_reads_its_own_rows_only(
    api: Api, window: str
) -> None:
    if connection.display_name == "Vitess":
        pytest.skip("EXPLAIN shows the shards of a statement there, not its rows")
    chat = api.new_chat()
    fill(chat, 4000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE TABLE messages")

    with CaptureQueriesContext(connection) as captured:
        page = api.get(f"http://testserver/api/v1{chat}/messages?limit=50&{window}").json()

    assert len(page["results"]) == 50
    for query in captured.captured_queries:
        if "message_number" in query["sql"]:
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN {query['sql']}")
                names = [column[0] for column in cursor.description]
                plan = dict(zip(names, cursor.fetchone(), strict=True))
            assert (plan["type"], int(plan["rows"]) <= 60) == ("range", True), (query, plan)
