"""The API's handler and Django's return the same status, headers and body.

The handler's own work is tested too: the check of the head, and the cache of matched paths.
"""

from io import BytesIO
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from django.conf import settings as django_settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest
from pytest_django import Settings
from rest_framework.views import APIView

from api.asgi import environment
from api.handler import ApiHandler, SiteHandler
from api.rate_limits.limiter import limiter
from chats.records import ChatNotFound
from infra.errors import Unavailable
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


def request(method: str, body: bytes = b"", **more: Any) -> dict[str, Any]:
    """Build the environ of a request, as the server passes it."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_HOST": "127.0.0.1",
        "HTTP_X_REQUEST_ID": ID,
        "wsgi.input": BytesIO(body),
        **more,
    }
    setup_testing_defaults(environ)
    return environ


def ours(method: str, path: str, body: bytes = b"", **more: str) -> Any:
    """Return status, headers and body from the API's handler."""
    answer = ApiHandler().response(request(method, body, PATH_INFO=path, **more))
    headers = sorted((name.decode().lower(), value.decode()) for name, value in answer.headers)
    return answer.status, headers, answer.body


def djangos(method: str, path: str, body: bytes = b"", **more: str) -> Any:
    """Return the same from Django's handler."""
    said: list[Any] = []
    chunks = WSGIHandler()(
        request(method, body, PATH_INFO=path, **more),
        lambda *status_and_headers: said.extend(status_and_headers),  # type: ignore[arg-type] # nothing writes
    )
    content = b"".join(chunks)
    status, headers = said
    return int(status[:3]), sorted((name.lower(), value) for name, value in headers), content


@pytest.fixture
def answers_alike(settings: Settings) -> Any:
    def check(method: str, path: str, body: bytes = b"", **more: str) -> int:
        status, headers, content = ours(method, path, body, **more)
        theirs = djangos(method, path, body, **more)
        assert (status, content) == (theirs[0], theirs[2])
        # Django's middleware says less where it answers by itself, and a policy to pages.
        expected = {header for header in theirs[1] if header[0] != "content-security-policy"}
        if status == 304:
            expected.remove(("content-length", "0"))  # a false one
        assert expected <= set(headers)
        assert len({name for name, _ in headers}) == len(headers)
        assert ("cache-control", "no-store") in headers
        return int(status)

    return check


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "", b"", 200),
        ("HEAD", "", b"", 200),
        ("OPTIONS", "", b"", 204),
        ("DELETE", "", b"", 405),
        ("GET", "/messages", b"", 200),
        ("GET", "/messages/7", b"", 404),
        ("GET", "/nothing", b"", 404),
        ("POST", "/messages", b"{", 400),
        ("POST", "/messages", b'{"body": 1}', 400),
    ],
)
def test_of_every_kind(
    chat: str, answers_alike: Any, method: str, path: str, body: bytes, status: int
) -> None:
    assert answers_alike(method, chat + path, body) == status


def test_of_a_version_that_is_known(chat: str, answers_alike: Any) -> None:
    assert answers_alike("GET", chat, HTTP_IF_NONE_MATCH='"1"') == 304


def test_of_a_host_that_is_not_ours(chat: str, answers_alike: Any, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["example.org"]

    assert answers_alike("GET", chat, HTTP_HOST="elsewhere.example") == 400
    assert answers_alike("GET", chat, HTTP_HOST="example.org") == 200


@pytest.mark.parametrize(("scheme", "status"), [("http", 301), ("https", 200)])
def test_where_clients_come_by_https(
    chat: str, answers_alike: Any, settings: Settings, scheme: str, status: int
) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_HSTS_SECONDS = 3600

    assert answers_alike("GET", chat, HTTP_X_FORWARDED_PROTO=scheme) == status


def test_of_an_error_that_nobody_expected(
    chat: str, answers_alike: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.records.RecordType.as_json", lambda *_: 1 / 0)

    assert answers_alike("GET", chat) == 500


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
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("ingest.records.RecordType.as_json", fail)
    logged = []
    for handle in (ours, djangos):
        caplog.clear()
        handle("GET", chat)
        records = [one for one in caplog.records if one.name == "django.request"]
        logged.append([one.getMessage() for one in records])

    assert logged == [[line.format(chat=chat) for line in said]] * 2


def test_pages_go_through_djangos_own(transactional_db: None) -> None:
    answer = SiteHandler().response(request("GET", PATH_INFO="/admin/login/"))

    assert answer.status == 200
    assert any(name == b"Set-Cookie" for name, _ in answer.headers)
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

    def ask() -> int:
        asked = request(method, body, PATH_INFO=chat + path, QUERY_STRING="query=hello")
        return handler.response(asked).status

    first = ask()  # what is found out once stays
    with garbage(HttpRequest, APIView) as left:
        assert [ask() for _ in range(10)] == [first] * 10
    assert not left


def test_a_head_is_judged_without_the_body(chat: str) -> None:
    handler = ApiHandler()
    length: dict[str, Any] = {"CONTENT_LENGTH": "1000"}
    for method, path, more, status in (
        ("POST", "/messages", {}, None),
        ("POST", "/nothing", {}, 404),
        ("DELETE", "/messages", {}, 405),
        ("POST", "/messages", {"CONTENT_LENGTH": "131073"}, 413),
        ("POST", "/messages/bulk", {"CONTENT_LENGTH": "131073"}, None),
        ("POST", "/messages/bulk", {"CONTENT_LENGTH": "4194305"}, 413),
        ("POST", "/messages", {"CONTENT_TYPE": "text/plain"}, 415),
        ("POST", "/messages", {"HTTP_ACCEPT": "image/png"}, 406),
        ("POST", "/messages", {"HTTP_HOST": "elsewhere.example"}, 400),
    ):
        asked = request(method, PATH_INFO=chat + path, **length | more)

        answer = handler.early_response(asked)

        assert (answer and answer.status) == status


def test_a_key_is_asked_for_before_the_body(chat: str, settings: Settings) -> None:
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update={"require_keys": True})

    answer = ApiHandler().early_response(
        request("POST", PATH_INFO=f"{chat}/messages", CONTENT_LENGTH="9")
    )

    assert answer
    assert answer.status == 401


def test_a_request_that_is_judged_first_is_counted_once(chat: str, settings: Settings) -> None:
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update={"rate_limit": "10/h"})
    handler = ApiHandler()
    asked = request("POST", b'{"body": "hello"}', PATH_INFO=f"{chat}/messages")

    assert handler.early_response(asked) is None
    answer = handler.response(asked)
    limiter.cache_clear()

    assert answer.status == 201
    assert (b"RateLimit-Remaining", b"9") in answer.headers


def test_health_is_answered_whatever_the_host(transactional_db: None) -> None:
    for path, status in (
        ("/health/live", 200),
        ("/health/ready/", 200),
        ("/metrics", 200),
        ("/api/v1/applications", 400),
    ):
        asked = {"HTTP_HOST": "10.42.8.201:8000", "REMOTE_ADDR": "127.0.0.1"}
        assert ours("GET", path, b"", **asked)[0] == status


def test_only_addresses_that_match_are_remembered(chat: str) -> None:
    handler = ApiHandler()
    for number in range(3):
        handler.response(request("GET", PATH_INFO=f"/api/v1/nothing/{number}"))
        handler.response(request("GET", PATH_INFO=f"{chat}/messages/{number + 1}"))

    assert list(handler._match._known) == [f"{chat}/messages/{n}" for n in (1, 2, 3)]


def test_an_escaped_slash_separates_nothing() -> None:
    for path, shown in ((b"/api%2Fv1", "/api%2Fv1"), (b"/a%2fb%20c", "/a%2Fb c"), (b"/%25", "/%")):
        scope: Any = {
            "type": "http",
            "method": "GET",
            "raw_path": path,
            "query_string": b"",
            "http_version": "1.1",
            "scheme": "http",
            "headers": [],
            "server": None,
            "client": None,
        }
        assert environment(scope)["PATH_INFO"] == shown
