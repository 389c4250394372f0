"""A chat shown as a conversation: ordered, paged by key, searchable, long messages folded."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from chats.models import Chat
from events.streams.tokens import read_stream_token
from messages_app.models import Message
from search import conversation_page
from tests.admin.pages import address, new_messages, notices, text
from tests.admin.test_permissions import staff_client
from tests.api.client import Api
from tests.search.conftest import forget


def path_of(chat: Chat) -> str:
    return f"/admin/conversations/{chat.application_token}/{chat.chat_number}/"


def read(client: Client, chat: Chat, **query: str | int) -> Any:
    answer: Any = client.get(path_of(chat), query)
    assert answer.status_code == 200
    return answer


def numbers(answer: Any) -> list[int]:
    return [one.message.message_number for one in answer.context["shown"]]


def walk(client: Client, chat: Chat, answer: Any, rel: str) -> Iterator[list[int]]:
    """The pages that are reached by following one kind of link."""
    yield numbers(answer)
    while found := re.search(f'href="([^"]+)" rel="{rel}"', text(answer)):
        answer = client.get(f"{path_of(chat)}{found[1]}")
        yield numbers(answer)


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation_page, "PAGE_SIZE", 3)


@pytest.mark.usefixtures("small_pages")
def test_it_begins_with_the_latest_messages_in_their_order(
    admin_client: Client, chat: Chat
) -> None:
    new_messages(chat, 7)

    assert numbers(read(admin_client, chat)) == [5, 6, 7]
    assert numbers(read(admin_client, chat, after=0)) == [1, 2, 3]
    assert numbers(read(admin_client, chat, after=2)) == [3, 4, 5]
    assert numbers(read(admin_client, chat, before=5)) == [2, 3, 4]


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("count", [1, 3, 4, 7, 9])
def test_its_pages_hold_each_message_once_in_both_directions(
    admin_client: Client, chat: Chat, count: int
) -> None:
    new_messages(chat, count)
    Message.objects.filter(message_number=2).delete()  # a number that was skipped
    every = list(Message.objects.order_by("pk").values_list("message_number", flat=True))

    back = list(walk(admin_client, chat, read(admin_client, chat), "prev"))
    forth = list(walk(admin_client, chat, read(admin_client, chat, after=0), "next"))

    assert [number for page in reversed(back) for number in page] == every
    assert [number for page in forth for number in page] == every


@pytest.mark.parametrize(
    "query",
    [
        {"after": "x"},
        {"before": "-1"},
        {"after": 2**63 - 1},
        {"before": 0},
        {"before": 1},
        {"after": "9" * 50},
        {"after": "\0"},
        {"query": "x", "before": "0"},
        {"query": "x", "after": str(2**63 - 1)},
        {"query": ""},
        {"query": "x" * 257},
        {"query": "\0"},
    ],
)
def test_whatever_is_asked_for_there_is_a_page(
    admin_client: Client, message: Message, chat: Chat, query: dict[str, str | int]
) -> None:
    assert "Search this chat" in text(read(admin_client, chat, **query))


def test_an_empty_chat_says_so(admin_client: Client, chat: Chat) -> None:
    assert "This chat has no messages." in text(read(admin_client, chat))


def test_messages_are_escaped_and_keep_their_own_direction(
    admin_client: Client, chat: Chat
) -> None:
    new_messages(chat, 1, "<script>alert(1)</script>\n  مرحبا 会話")

    answer = read(admin_client, chat)

    assert "<script>alert" not in answer.content.decode()
    assert '<div class="said" dir="auto"><script>alert(1)</script>\n  مرحبا 会話</div>' in text(
        answer
    )


@pytest.mark.parametrize("body", ["word " * 1000, "line\n" * 100])
def test_a_long_message_is_folded_and_whole(admin_client: Client, chat: Chat, body: str) -> None:
    new_messages(chat, 1, body)

    page = text(read(admin_client, chat))

    assert '<details class="long">' in page
    assert f'<div class="said" dir="auto">{body}</div>' in page


def test_an_edited_message_says_so_and_each_leads_to_its_page(
    admin_client: Client, message: Message, chat: Chat
) -> None:
    page = text(read(admin_client, chat))
    assert address(Message, "change", message.pk) in page
    assert "edited" not in page

    Message.objects.update(version=2)

    assert "edited" in text(read(admin_client, chat))


def test_an_erased_message_says_so(admin_client: Client, api: Api, message: Message) -> None:
    api.delete(f"/applications/{message.application_token}/chats/1/messages/1")

    page = text(read(admin_client, Chat.objects.get()))
    assert "<span>erased 20" in page
    assert "edited" not in page


def test_chats_and_messages_lead_to_their_conversation(
    admin_client: Client, message: Message, chat: Chat
) -> None:
    for row, way in ((chat, ""), (message, "?after=0#m1")):
        page = text(admin_client.get(address(type(row), "change", row.pk)))
        assert f'href="{path_of(chat)}{way}"' in page
    assert f'href="{path_of(chat)}"' in text(admin_client.get(address(Chat, "changelist")))


@pytest.mark.usefixtures("small_pages")
def test_a_search_finds_parts_of_words_newest_first_and_pages_them(
    admin_client: Client, chat: Chat
) -> None:
    for body in ("needle <b>", "hay", "NEEDLEs", "hay"):
        new_messages(chat, 2, body)

    answer = read(admin_client, chat, query="eedl")

    assert numbers(answer) == [6, 5, 2]
    assert "N<mark>EEDL</mark>Es" in answer.content.decode()
    assert "&lt;b&gt;" in answer.content.decode()
    assert f'href="{path_of(chat)}?after=5#m6"' in text(answer)
    assert list(walk(admin_client, chat, answer, "next")) == [[6, 5, 2], [1]]
    last = read(admin_client, chat, query="eedl", before=2)
    assert list(walk(admin_client, chat, last, "prev"))[-1] == [6, 5, 2]


def test_a_hit_shows_when_it_was_written(
    admin_client: Client, message: Message, chat: Chat
) -> None:
    page = text(read(admin_client, chat, query=message.body))

    assert f"<time>{message.created_at:%Y-%m-%d %H:%M:%S}</time>" in page


def test_a_search_without_hits_says_so(admin_client: Client, message: Message, chat: Chat) -> None:
    page = text(read(admin_client, chat, query="nowhere"))
    assert "No message of this chat contains this text." in page


def test_a_bad_query_is_told_above_the_conversation(
    admin_client: Client, message: Message, chat: Chat
) -> None:
    answer = read(admin_client, chat, query="")

    assert notices(answer) == ["The search failed. query must have 1 to 256 characters."]
    assert numbers(answer) == [1]


@pytest.fixture
def no_elasticsearch(settings: Settings) -> Iterator[None]:
    """An installation that has one, which nobody can reach."""
    away = {"elasticsearch_url": "http://127.0.0.1:9"}
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update=away)
    forget()
    yield
    forget()


@pytest.mark.usefixtures("no_elasticsearch")
def test_while_the_index_is_away_the_database_answers_and_the_page_says_so(
    admin_client: Client, chat: Chat
) -> None:
    new_messages(chat, 2, "needle")

    answer = read(admin_client, chat, query="needle")

    assert numbers(answer) == [2, 1]
    assert 'id="degraded"' in text(answer)


@pytest.mark.usefixtures("no_elasticsearch")
def test_a_chat_too_large_for_the_database_is_shown_unsearched(
    admin_client: Client, chat: Chat, settings: Settings
) -> None:
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update={"search_scan_messages": 1})
    new_messages(chat, 2, "needle")

    answer = read(admin_client, chat, query="needle")

    assert "too large" in notices(answer)[0]
    assert numbers(answer) == [1, 2]


def test_a_chat_that_does_not_exist_leads_to_the_list(admin_client: Client, chat: Chat) -> None:
    answer: Any = admin_client.get(f"/admin/conversations/{chat.application_token}/9/")

    assert (answer.status_code, answer["Location"]) == (302, address(Chat, "changelist"))
    assert notices(answer) == ["There is no such chat."]


#: The page, and what its script loads while it is open.
PAGES = pytest.mark.parametrize("page", ["", "messages", "stream-token"])


@PAGES
def test_it_takes_permission_to_see_chats_and_messages(chat: Chat, page: str) -> None:
    assert staff_client("view_chat").get(path_of(chat) + page).status_code == 403


@PAGES
def test_who_may_see_chats_and_messages_reads_it(chat: Chat, page: str) -> None:
    client = staff_client("view_chat", "view_message")
    assert client.get(path_of(chat) + page).status_code == 200


@PAGES
def test_who_is_not_logged_in_is_asked_to(client: Client, chat: Chat, page: str) -> None:
    assert client.get(path_of(chat) + page).status_code == 302


@pytest.mark.usefixtures("small_pages")
def test_an_open_page_loads_messages_as_the_page_shows_them(
    admin_client: Client, chat: Chat
) -> None:
    new_messages(chat, 7, "<b>hello")

    part = admin_client.get(f"{path_of(chat)}messages", {"after": 4}).content.decode()

    assert re.findall('<li id="m([0-9]+)"', part) == ["5", "6", "7"]
    assert part.strip() in read(admin_client, chat).content.decode()


def test_its_stream_is_that_of_the_chat_for_a_short_time(admin_client: Client, chat: Chat) -> None:
    token, number = chat.application_token, chat.chat_number

    made = admin_client.get(f"{path_of(chat)}stream-token").json()

    address, _, text = made["address"].partition("?access_token=")
    assert address == f"/api/v1/applications/{token}/chats/{number}/stream"
    found = read_stream_token({"access_token": text}, token)
    assert found is not None
    assert found.chat_number == number
    left = (found.expires_at - timezone.now()).total_seconds()
    assert left <= made["seconds"] == 300


def test_there_is_no_stream_of_an_application_that_does_not_exist(admin_client: Client) -> None:
    path = f"/admin/conversations/{'0' * 24}/1/stream-token"
    assert admin_client.get(path).status_code == 404


@pytest.mark.parametrize("query", [{}, {"after": "50"}, {"before": "70"}, {"query": "hello"}])
def test_its_queries_do_not_grow_and_count_nothing(
    admin_client: Client, chat: Chat, query: dict[str, str]
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            read(admin_client, chat, **query)
        for one in captured.captured_queries:
            assert "COUNT(" not in one["sql"]
            assert "OFFSET" not in one["sql"]
        return len(captured)

    new_messages(chat, 150)
    few = queries()
    new_messages(chat, 600)

    assert queries() == few
