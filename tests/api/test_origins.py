"""Without keys, pages of other sites cannot change anything, whatever a browser sends."""

from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from applications.models import Application
from tests.api.client import Api
from tests.api.problems import assert_problem

FORM = "application/x-www-form-urlencoded"
OTHER, OWN = "https://evil.example", "http://testserver"
FOREIGN: dict[str, dict[str, str]] = {
    "another site": {"Origin": OTHER, "Sec-Fetch-Site": "cross-site"},
    "another site in an old browser": {"Origin": OTHER},
    "another port of this machine": {"Origin": f"{OWN}:3000", "Sec-Fetch-Site": "same-site"},
    "another port in an old browser": {"Origin": f"{OWN}:3000"},
    "a page that hides its origin": {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    "the same in an old browser": {"Origin": "null"},
    "no origin": {"Sec-Fetch-Site": "cross-site"},
    "a name like ours": {"Origin": f"{OWN}.evil.example"},
    "our name as a user's": {"Origin": "http://testserver@evil.example"},
    "what is no origin": {"Origin": "http://[testserver"},
    "what no browser says": {"Origin": OTHER, "Sec-Fetch-Site": "same origin"},
}
NATIVE: dict[str, dict[str, str]] = {
    "a program": {},
    "our own page": {"Origin": OWN, "Sec-Fetch-Site": "same-origin"},
    "our own page in an old browser": {"Origin": OWN},
    "our own page behind a proxy that ends HTTPS": {"Origin": "https://testserver"},
    "our own page behind a proxy that names the host anew": {
        "Origin": "https://chat.example",
        "Sec-Fetch-Site": "same-origin",
    },
    "what no browser sends": {"Origin": "junk"},
    "the user himself": {"Sec-Fetch-Site": "none"},
}


def send(method: str, path: str, headers: dict[str, str]) -> Any:
    """A form, as a page of any site may have it sent without asking first."""
    return Client(headers=headers).generic(method, f"/api/v1{path}", b"name=x&body=x", FORM)


@pytest.fixture
def message(api: Api) -> str:
    chat = api.new_chat()
    api.say(chat, "hello")
    return f"{chat}/messages/1"


def changes(message: str) -> list[tuple[str, str]]:
    """Every change that there is, by method and path."""
    messages = message.rpartition("/")[0]
    chat = messages.rpartition("/")[0]
    application = chat.rpartition("/chats/")[0]
    return [
        ("POST", "/applications"),
        ("POST", f"{application}/key"),
        ("POST", f"{application}/chats"),
        ("POST", messages),
        ("POST", f"{messages}/bulk"),
        *((method, path) for method in ("PUT", "PATCH") for path in (application, chat, message)),
    ]


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN)
def test_another_sites_page_changes_nothing(
    api: Api, message: str, headers: dict[str, str]
) -> None:
    before = Application.objects.values_list("key_hash", "name").get()

    for method, path in changes(message):
        answer = send(method, path, headers)
        assert_problem(answer, 403)
        assert "CORS_ORIGINS" in answer.json()["detail"]

    assert Application.objects.values_list("key_hash", "name").get() == before
    assert api.get(message).json()["body"] == "hello"


@pytest.mark.parametrize("headers", NATIVE.values(), ids=NATIVE)
def test_everybody_else_does(message: str, headers: dict[str, str]) -> None:
    for method, path in changes(message):
        # A form cannot have many messages.
        wanted = {400, 415} if path.endswith("/bulk") else {200, 201}
        assert send(method, path, headers).status_code in wanted


@pytest.mark.parametrize("site", ["cross-site", "same-site", None])
def test_a_page_that_may_use_the_api_does(
    site: str | None, message: str, settings: Settings
) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example"]
    sent = {"Sec-Fetch-Site": site} if site else {}

    allowed = send("POST", "/applications", {"Origin": "https://app.example", **sent})
    other = send("POST", "/applications", {"Origin": "http://app.example", **sent})

    assert allowed.status_code == 201
    assert_problem(other, 403)


def test_reading_is_for_every_page(message: str) -> None:
    for method in ("GET", "HEAD", "OPTIONS"):
        assert send(method, message, FOREIGN["another site"]).status_code in (200, 204)


def test_a_name_that_a_stranger_points_here_is_refused(db: None) -> None:
    rebound = {"Host": "evil.example:8000", "Origin": "http://evil.example:8000"}

    assert_problem(send("POST", "/applications", rebound), 400)
    assert_problem(send("GET", "/applications", rebound), 400)


def test_with_keys_it_is_the_key_that_opens(message: str, settings: Settings) -> None:
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update={"require_keys": True})

    assert_problem(send("POST", "/applications", FOREIGN["another site"]), 401)
