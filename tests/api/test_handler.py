"""The API's own handler says what Django's says: the same status, headers and body."""

from io import BytesIO
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from django.conf import settings as django_settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest
from pytest_django import Settings
from rest_framework.views import APIView

from api.handler import ApiHandler, SiteHandler
from core.errors import ChatNotFound, Unavailable
from tests.api.client import Api
from tests.garbage import garbage

ID = "the-same-for-both"


@pytest.fixture
def api(transactional_db: None) -> Api:
    # What is around a request closes a connection that is left in a transaction.
    return Api()


@pytest.fixture
def chat(api: Api) -> str:
    return f"/api/v1{api.new_chat()}"


def answer(handler: Any, method: str, path: str, body: bytes = b"", **more: str) -> Any:
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_HOST": "127.0.0.1",
        "HTTP_X_REQUEST_ID": ID,
        "wsgi.input": BytesIO(body),
        **more,
    }
    setup_testing_defaults(environ)
    said: list[Any] = []
    content = b"".join(
        handler(environ, lambda *status_and_headers: said.extend(status_and_headers))
    )
    status, headers = said
    return status, sorted((name.lower(), value) for name, value in headers), content


@pytest.fixture
def answers_alike(settings: Settings) -> Any:
    def check(method: str, path: str, body: bytes = b"", **more: str) -> str:
        status, headers, content = answer(ApiHandler(), method, path, body, **more)
        theirs = answer(WSGIHandler(), method, path, body, **more)
        assert (status, content) == (theirs[0], theirs[2])
        # Who is turned away by Django's middleware is not told all of it.
        assert set(theirs[1]) <= set(headers)
        assert len({name for name, _ in headers}) == len(headers)
        return str(status)

    return check


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "", b"", "200"),
        ("HEAD", "", b"", "200"),
        ("OPTIONS", "", b"", "200"),
        ("DELETE", "", b"", "405"),
        ("GET", "/messages", b"", "200"),
        ("GET", "/messages/7", b"", "404"),
        ("GET", "/nothing", b"", "404"),
        ("POST", "/messages", b"{", "400"),
        ("POST", "/messages", b'{"body": 1}', "400"),
    ],
)
def test_of_every_kind(
    chat: str, answers_alike: Any, method: str, path: str, body: bytes, status: str
) -> None:
    assert answers_alike(method, chat + path, body).startswith(status)


def test_of_a_version_that_is_known(chat: str, answers_alike: Any) -> None:
    assert answers_alike("GET", chat, HTTP_IF_NONE_MATCH='"1"').startswith("304")


def test_of_a_host_that_is_not_ours(chat: str, answers_alike: Any, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["example.org"]

    assert answers_alike("GET", chat, HTTP_HOST="elsewhere.example").startswith("400")
    assert answers_alike("GET", chat, HTTP_HOST="example.org").startswith("200")


@pytest.mark.parametrize(("scheme", "status"), [("http", "301"), ("https", "200")])
def test_where_clients_come_by_https(
    chat: str, answers_alike: Any, settings: Settings, scheme: str, status: str
) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_HSTS_SECONDS = 3600

    assert answers_alike("GET", chat, HTTP_X_FORWARDED_PROTO=scheme).startswith(status)


def test_of_an_error_that_nobody_expected(
    chat: str, answers_alike: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chats.views.represent_chat", lambda _: 1 / 0)

    assert answers_alike("GET", chat).startswith("500")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Unavailable("too busy"), ["Service Unavailable: {chat}"]),
        (ZeroDivisionError("oh"), ["Internal Server Error: {chat}"]),
        (ChatNotFound(), []),
    ],
)
def test_failures_of_the_server_are_logged_and_those_of_clients_are_not(
    chat: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    said: list[str],
) -> None:
    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr("chats.views.represent_chat", fail)
    logged = []
    for handler in (ApiHandler(), WSGIHandler()):
        caplog.clear()
        answer(handler, "GET", chat)
        records = [one for one in caplog.records if one.name == "django.request"]
        logged.append([one.getMessage() for one in records])

    assert logged == [[line.format(chat=chat) for line in said]] * 2


def test_pages_go_through_djangos_own(transactional_db: None) -> None:
    status, headers, _ = answer(SiteHandler(), "GET", "/admin/login/")

    assert status.startswith("200")
    assert any(name == "set-cookie" for name, _ in headers)
    assert "chatsystem" in django_settings.ROOT_URLCONF


@pytest.mark.parametrize("kind", ["item", "page", "search", "create", "missing", "refused"])
def test_nothing_of_a_request_is_left_to_the_garbage_collector(
    api: Api, chat: str, kind: str
) -> None:
    api.say(chat.removeprefix("/api/v1"), "hello")
    asked: dict[str, tuple[str, str, bytes]] = {
        "item": ("GET", "/messages/1", b""),
        "page": ("GET", "/messages", b""),
        "search": ("GET", "/messages/search", b""),
        "create": ("POST", "/messages", b'{"body": "hello"}'),
        "missing": ("GET", "/messages/999", b""),
        "refused": ("POST", "/messages", b"{"),
    }
    method, path, body = asked[kind]
    handler = ApiHandler()

    def ask() -> str:
        status, _, _ = answer(handler, method, chat + path, body, QUERY_STRING="query=hello")
        return str(status)

    first = ask()  # what is found out once stays
    with garbage(HttpRequest, APIView) as left:
        assert [ask() for _ in range(10)] == [first] * 10
    assert not left
