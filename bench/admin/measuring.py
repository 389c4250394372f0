"""`admin`: what each page of the admin costs, over a large table.

Each page is asked for over HTTP, from the server that is up, and its queries are counted on a
second way, in this process. The operator whom that takes is removed afterwards.
"""

import http.client
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from statistics import median
from urllib.parse import urlsplit
from uuid import uuid4

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bench.admin.filling import Filled, fill
from bench.database import Database
from bench.errors import BenchError
from bench.report import Figure, print_table, write
from bench.services import services
from chats.models import Chat
from ingest.models import DeadLetter
from messages_app.models import Message

_LIMIT_SECONDS = 60
_HOST = "127.0.0.1"


def admin(*, messages: int, rounds: int) -> None:
    """Fill, measure and report. Raises BenchError when a page is not answered by 200."""
    places = services()
    database = Database(places.database_url)
    filled = fill(places.base_url, database, messages)
    pages = _pages(filled)
    with _operator() as client:
        queries = {name: _queries(client, address) for name, address in pages.items()}
        times = _times(places.base_url, client.cookies["sessionid"].value, pages, rounds)
    _report(database.number("SELECT COUNT(*) FROM messages"), queries, times)


def _pages(filled: Filled) -> Mapping[str, str]:
    """The addresses by what they are; those "deep" lie in the middle of the rows."""
    chat, middle = filled.largest, filled.size // 2
    rows = Message.objects.filter(application_token=chat.token, chat_number=chat.number)
    row, early = rows.get(message_number=middle), rows.get(message_number=min(middle, 20))
    parent = Chat.objects.get(application_token=chat.token, chat_number=chat.number)
    lists, searched = "/admin/messages_app/message/", filled.searched
    talk = f"/admin/conversations/{chat.token}/{chat.number}/"
    pages = {
        "home": "/admin/",
        "applications": "/admin/applications/application/",
        "chats": "/admin/chats/chat/",
        "chats of an application": f"/admin/chats/chat/?q={chat.token}",
        "chat": f"/admin/chats/chat/{parent.pk}/change/",
        "messages": lists,
        "messages, deep": f"{lists}?p=after.{row.pk}",
        "messages, deep, back": f"{lists}?p=before.{row.pk}",
        "messages of an application": f"{lists}?q={chat.token}",
        "messages of a chat": f"{lists}?q={chat.token}/{chat.number}",
        "messages of a chat, deep": f"{lists}?q={chat.token}/{chat.number}&p=after.{row.pk}",
        "messages of a chat, last page": f"{lists}?q={chat.token}/{chat.number}&p=after.{early.pk}",
        "messages of an application, deep": f"{lists}?q={chat.token}&p=after.{row.pk}",
        "message by number": f"{lists}?q={chat.token}/{chat.number}/{middle}",
        "message": f"{lists}{row.pk}/change/",
        "history of a message": f"{lists}{row.pk}/history/",
        "conversation": talk,
        "conversation, deep": f"{talk}?after={middle}",
        "conversation, deep, back": f"{talk}?before={middle}",
        "conversation, beginning": f"{talk}?after=0",
        "conversation, last page": f"{talk}?after={filled.size - 10}",
        "search in a chat": f"/admin/conversations/{searched.token}/{searched.number}/?query=or",
        "dead letters": "/admin/ingest/deadletter/",
        "dead letters of a chat": f"/admin/ingest/deadletter/?q={chat.token}/{chat.number}",
        "operators' keys": "/admin/applications/operatorkey/",
        "log": "/admin/admin/logentry/",
    }
    letter = DeadLetter.objects.order_by("-pk").values_list("pk", flat=True).first()
    if letter is not None:
        pages["dead letter"] = f"/admin/ingest/deadletter/{letter}/change/"
    return pages


@contextmanager
def _operator() -> Iterator[Client]:
    user = User.objects.create_superuser(f"bench-{uuid4().hex[:8]}")
    client = Client(SERVER_NAME=_HOST)
    client.force_login(user)
    try:
        yield client
    finally:
        client.logout()
        user.delete()


def _queries(client: Client, address: str) -> int:
    client.get(address)  # content types and the like are remembered
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(address)
    if answer.status_code != http.client.OK:
        raise BenchError(f"{address} was answered {answer.status_code}")
    return len(captured)


def _times(
    base_url: str, session: str, pages: Mapping[str, str], rounds: int
) -> dict[str, list[float]]:
    """Milliseconds until the whole page was there, in turns; the first turn does not count."""
    place = urlsplit(base_url)
    server = http.client.HTTPConnection(place.hostname or "", place.port, timeout=_LIMIT_SECONDS)
    cookie = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={session}"}
    times: dict[str, list[float]] = {name: [] for name in pages}
    for turn in range(rounds + 1):
        for name, address in pages.items():
            before = time.perf_counter()
            server.request("GET", address, headers=cookie)
            answer = server.getresponse()
            answer.read()
            if answer.status != http.client.OK:
                raise BenchError(f"{address} was answered {answer.status}")
            if turn:
                times[name].append(1000 * (time.perf_counter() - before))
    server.close()
    return times


def _report(rows: int, queries: Mapping[str, int], times: Mapping[str, list[float]]) -> None:
    print(f"{rows} messages in the table")
    print_table(
        ("page", "queries", "median ms", "longest ms"),
        [
            (name, str(queries[name]), f"{median(each):.1f}", f"{max(each):.1f}")
            for name, each in times.items()
        ],
    )
    slowest = max(times, key=lambda name: median(times[name]))
    figures = {
        "admin_slowest_page_ms": Figure(median(times[slowest]), "ms"),
        "admin_longest_ms": Figure(max(max(each) for each in times.values()), "ms"),
        "admin_most_queries": Figure(max(queries.values()), "queries"),
    }
    write("admin", figures, {"rows": rows, "queries": queries, "milliseconds": times})
