"""Searches match keys exactly; any other input finds nothing, and the page says so."""

import pytest
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from applications.models import Application
from applications.services import create_application
from chats.models import Chat
from messages_app.models import Message
from tests.admin.pages import address, listing, new_chats, new_messages, notices, rows, text

pytestmark = pytest.mark.both


@pytest.fixture
def chats(application: Application) -> list[Chat]:
    """Eleven chats of one application; one of another with the same number."""
    new_chats(create_application(name="another"), 1)
    return list(new_chats(application, 11))


@pytest.mark.parametrize("characters", [1, 6, 24])
def test_an_application_is_found_by_the_beginning_of_its_token(
    admin_client: Client, characters: int
) -> None:
    Application.objects.bulk_create(
        Application(token=token, name="x", created_at=timezone.now(), updated_at=timezone.now())
        for token in ("0" * 24, "f" * 24, "ef" * 12)
    )
    found = rows(listing(admin_client, Application, q=f"  {'f' * characters} "))
    assert [application.token for application in found] == ["f" * 24]


def test_chats_are_found_by_token_and_by_number(admin_client: Client, chats: list[Chat]) -> None:
    token = chats[0].application_token
    assert rows(listing(admin_client, Chat, q=token)) == chats[::-1]
    for q in (f"{token} 1", f"{token}/1", f" /{token}\u00a0/ 1/ "):
        assert rows(listing(admin_client, Chat, q=q)) == [chats[0]]
    assert rows(listing(admin_client, Chat, q=f"{token} 12")) == []


def test_messages_are_found_by_token_chat_and_number(
    admin_client: Client, chats: list[Chat]
) -> None:
    here = new_messages(chats[0], 11)
    there = new_messages(chats[1], 1)
    token = chats[0].application_token
    assert rows(listing(admin_client, Message, q=token)) == [*there, *here[::-1]]
    assert rows(listing(admin_client, Message, q=f"{token} 1")) == list(here[::-1])
    assert rows(listing(admin_client, Message, q=f"{token}/1/11")) == [here[10]]
    assert rows(listing(admin_client, Message, q=f"{token} 11 1")) == []


@pytest.mark.usefixtures("chat")
def test_an_unknown_token_finds_nothing_and_the_way_back_is_shown(admin_client: Client) -> None:
    answer = listing(admin_client, Chat, q="0" * 24)
    assert rows(answer) == []
    assert notices(answer) == []
    assert "No chats found." in text(answer)
    assert '<a href="?">Show all</a>' in answer.content.decode()


HOSTILE = [
    "%00",
    "a%00b",
    "%ED%A0%80",
    "%FF%FE",
    "%F0%9F%98%80",
    "{token}%00",
    "{token}%EF%BC%91",  # a full-width 1
    "{token}%20-1",
    "{token}%200",
    "{token}%201.5",
    "{token}%2018446744073709551616",
    "{token}%20" + "9" * 5000,
    "{token}%20" * 5,
    "{token}%25",
    "%25",
    "/",
    "'%20OR%201=1%20--",
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "x" * 100_000,
]


@pytest.mark.parametrize("q", HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_no_key_finds_nothing_and_says_how_to_search(
    admin_client: Client, message: Message, q: str
) -> None:
    search = q.format(token=message.application_token)
    for model in (Application, Chat, Message):
        answer = admin_client.get(f"{address(model, 'changelist')}?q={search}")
        assert rows(answer) == []
        [notice] = notices(answer)
        assert "Search by TOKEN" in notice
        assert "<script>alert" not in answer.content.decode()


@pytest.mark.parametrize("model", [Application, Chat, Message])
def test_the_search_box_says_what_it_takes(admin_client: Client, model: type[Model]) -> None:
    assert "Search by TOKEN" in listing(admin_client, model).content.decode()


@pytest.mark.usefixtures("message")
@pytest.mark.parametrize("model", [Application, Chat, Message])
def test_white_space_is_no_search(admin_client: Client, model: type[Model]) -> None:
    assert len(rows(listing(admin_client, model, q=" \t"))) == 1


@pytest.mark.parametrize("model", [Application, Chat, Message])
def test_no_search_uses_like(admin_client: Client, message: Message, model: type[Model]) -> None:
    with CaptureQueriesContext(connection) as captured:
        listing(admin_client, model, q=message.application_token)
    assert not [query for query in captured.captured_queries if "LIKE" in query["sql"]]
