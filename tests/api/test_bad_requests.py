"""Every bad request gets a problem document that names the error, and has no effect."""

from string import Template
from typing import Any

import pytest
from django.db import connection

from applications.models import Application
from chats.models import Chat
from messages_app.models import Message
from tests.api.bad_requests import ALLOWED, BAD_REQUESTS, CREATES, EDITS, Bad
from tests.api.client import Api
from tests.api.problems import assert_problem


@pytest.fixture(scope="module")
def items(rows_of_module: None) -> dict[str, str]:
    """An item of each kind, made once for all these tests."""
    api = Api()
    chat = api.new_chat()
    api.say(chat, "said")
    application = chat.rpartition("/chats/")[0]
    return {"application": application, "chat": chat, "message": f"{chat}/messages/1"}


@pytest.fixture(scope="module")
def untouched(items: dict[str, str]) -> list[list[Any]]:
    """All that is stored before the bad requests."""
    return everything()


def everything() -> list[list[Any]]:
    """All applications, chats and messages."""
    tables = []
    with connection.cursor() as cursor:
        for model in (Application, Chat, Message):
            cursor.execute(f"SELECT * FROM {model._meta.db_table} ORDER BY id")  # noqa: S608
            tables.append(cursor.fetchall())
    return tables


def send(api: Api, items: dict[str, str], request: Bad) -> Any:
    address = Template(request.address).substitute(items)
    path = address[1:] if address.startswith("//") else f"/api/v1{address}"
    headers: Any = request.headers
    return api.client.generic(
        request.method, path, request.body, request.content_type, headers=headers
    )


@pytest.mark.parametrize("request_", BAD_REQUESTS, ids=str)
def test_a_bad_request_is_a_problem_and_changes_nothing(
    api: Api, items: dict[str, str], untouched: list[list[Any]], request_: Bad
) -> None:
    answer = send(api, items, request_)

    problem = assert_problem(answer, request_.status)
    if request_.error:
        assert [(e["field"], e["code"]) for e in problem["errors"]] == [request_.error]
    if request_.status == 405:
        assert set(answer["Allow"].split(", ")) - {"HEAD", "OPTIONS"} == ALLOWED[request_.address]
    assert everything() == untouched


def test_a_good_request_after_them_is_done(api: Api, items: dict[str, str]) -> None:
    assert api.say(items["chat"], "good") == [2]


@pytest.mark.parametrize(("method", "address", "field"), CREATES + EDITS)
def test_emoji_are_as_good_as_letters(
    api: Api, items: dict[str, str], method: str, address: str, field: str
) -> None:
    text = "😀🤷🏽‍♀️"
    body = f'{{"{field}": "{text}", "😀": "🤷"}}'.encode()

    answer = send(api, items, Bad(0, method, address, body))

    assert answer.status_code in (200, 201)
    assert answer.json()[field] == text


@pytest.mark.parametrize("value", ["", "😀", "é", "x" * 5000, ';;,,=="\\', "%00"])
@pytest.mark.parametrize(
    "header",
    [
        *("Accept-Encoding", "Accept-Language", "Authorization", "Content-Encoding", "Cookie"),
        *("If-Modified-Since", "If-None-Match", "Origin", "Range", "Referer", "User-Agent"),
        *("X-CSRFToken", "X-Forwarded-Host", "X-HTTP-Method-Override", "X-Request-ID"),
    ],
)
def test_a_header_of_junk_does_no_harm(
    api: Api, items: dict[str, str], header: str, value: str
) -> None:
    as_servers_hand_it_over = value.encode().decode("latin-1")  # PEP 3333
    for method in ("GET", "PUT"):
        headers = {header: as_servers_hand_it_over}
        request = Bad(0, method, "$chat", b'{"name": "x"}', headers=headers)

        assert send(api, items, request).status_code == 200
