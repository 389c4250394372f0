"""Rate limits seen by clients: 429, the headers, and which requests share a limit."""

from collections.abc import Iterator
from typing import Any, cast

import pytest
from django.db import OperationalError
from django.http import HttpRequest
from django.test import RequestFactory
from django.urls import get_resolver
from pytest_django import Settings
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from api.openapi_document import SchemaView
from api.rate_limits.limiter import limiter
from api.rate_limits.throttle import client_name
from api.views import APPLICATIONS, ApiView
from ingest.commit import Committer
from operations.health import Live
from tests.api.client import Api
from tests.api.problems import assert_problem

HEADERS = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
UNKNOWN = "/applications/000000000000000000000000"


class ByHeader(BaseAuthentication):
    """Takes the header as the identity; "wrong" is invalid, "away" fails like a lost database."""

    def authenticate(self, request: Request) -> tuple[str, str] | None:
        claim = request.META.get("HTTP_AUTHORIZATION")
        if claim == "wrong":
            raise AuthenticationFailed
        if claim == "away":
            raise OperationalError(2006, "Server has gone away")
        return (claim, f"secret of {claim}") if claim else None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class NotMallory(BasePermission):
    def has_permission(self, request: Request, view: Any) -> bool:
        return str(request.user) != "mallory"


def limit(settings: Settings, rate: str) -> None:
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update={"rate_limit": rate})


@pytest.fixture(autouse=True)
def counted_anew() -> Iterator[None]:
    yield
    limiter.cache_clear()


@pytest.fixture
def three_an_hour(settings: Settings, api: Api) -> Api:
    limit(settings, "3/h")
    return api


@pytest.fixture
def keyed(three_an_hour: Api, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Api:
    """A limit of three an hour, and clients that name themselves in a header."""
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update={"require_keys": True})
    monkeypatch.setattr(ApiView, "authentication_classes", (ByHeader,))
    monkeypatch.setattr(ApiView, "permission_classes", (NotMallory,))
    return three_an_hour


def said(answer: Any) -> tuple[int, ...]:
    return tuple(int(answer[name]) for name in HEADERS)


def as_(api: Api, who: str, address: str = "192.0.2.1") -> Any:
    return api.client.get(
        "/api/v1/applications", headers={"Authorization": who}, REMOTE_ADDR=address
    )


def test_what_is_left_is_told_and_then_refused(three_an_hour: Api) -> None:
    answers = [three_an_hour.get("/applications") for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [said(answer) for answer in answers] == [
        (3, 2, 1200),
        (3, 1, 2400),
        (3, 0, 3600),
        (3, 0, 3600),
    ]
    assert_problem(answers[-1], 429)
    assert answers[-1]["Retry-After"] == "1200"
    assert not any("Retry-After" in answer for answer in answers[:3])


def test_a_wait_of_less_than_a_second_is_told_as_one(api: Api, settings: Settings) -> None:
    limit(settings, "5/s")
    answers = (api.get("/applications") for _ in range(1000))
    refused = next(answer for answer in answers if answer.status_code == 429)

    assert refused["Retry-After"] == "1"
    assert said(refused) == (5, 0, 1)


def test_a_refused_create_takes_no_number(
    api: Api, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = api.new_chat()
    limit(settings, "1/h")
    assert api.say(chat, "first") == [1]

    def accept(*_: object) -> None:
        raise AssertionError("a refused request was accepted")

    monkeypatch.setattr(Committer, "commit", accept)
    assert_problem(api.post(f"{chat}/messages", {"body": "second"}), 429)


def test_every_answer_of_a_route_counts_and_tells(api: Api, settings: Settings) -> None:
    limit(settings, "100/h")
    answers = {
        201: api.post("/applications", {"name": "x"}),
        204: api.client.options("/api/v1/applications"),
        400: api.post("/applications", b"{"),
        404: api.get(UNKNOWN),
        405: api.client.delete("/api/v1/applications"),
        406: api.client.get("/api/v1/applications", headers={"Accept": "image/png"}),
        413: api.post("/applications", b" " * 200_000),
        415: api.post("/applications", b"x", content_type="text/plain"),
    }

    assert {status: answer.status_code for status, answer in answers.items()} == {
        status: status for status in answers
    }
    assert [said(answer)[1] for answer in answers.values()] == list(range(99, 91, -1))


def test_what_is_refused_before_anything_else_is_limited_too(three_an_hour: Api) -> None:
    def ask() -> Any:
        return three_an_hour.client.get("/api/v1/applications", headers={"Accept": "image/png"})

    assert [ask().status_code for _ in range(4)] == [406, 406, 406, 429]


def test_without_the_setting_nothing_is_told_and_nobody_asked(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.rate_limits.throttle.limiter", None)

    for answer in (api.get("/applications"), api.get(UNKNOWN), api.post("/applications", b"{")):
        assert not [name for name in answer.headers if "ratelimit" in name.lower()]


@pytest.mark.parametrize(
    "path", ["/health/live", "/health/ready", "/api/v1/schema", "/api/v1/docs", "/admin/", "/none"]
)
def test_what_is_no_route_of_the_api_is_not_limited(three_an_hour: Api, path: str) -> None:
    answers = [three_an_hour.client.get(path) for _ in range(5)]

    assert {answer.status_code for answer in answers}.isdisjoint({429, 500})
    assert not any(name in answer for answer in answers for name in HEADERS)


def test_every_route_of_the_api_is_limited() -> None:
    all_routes: Any = get_resolver()
    views = {
        pattern.callback.cls
        for pattern in all_routes.url_patterns
        if str(pattern.pattern).startswith(APPLICATIONS)
    }

    assert len(views) > 5
    for view in views:
        assert issubclass(view, ApiView)
        assert view.throttle_classes == ApiView.throttle_classes
    assert not issubclass(SchemaView, ApiView)
    assert not Live.throttle_classes


def test_keys_at_one_address_have_a_limit_each(keyed: Api) -> None:
    for who in ("alice", "bob"):
        assert [as_(keyed, who).status_code for _ in range(4)] == [200, 200, 200, 429]


def test_a_key_has_one_limit_at_all_addresses(keyed: Api) -> None:
    codes = [as_(keyed, "alice", f"192.0.2.{host}").status_code for host in range(1, 5)]

    assert codes == [200, 200, 200, 429]


def test_guessing_keys_is_limited_by_address_and_harms_no_key(keyed: Api) -> None:
    guesses = [as_(keyed, "wrong") for _ in range(4)]

    assert [answer.status_code for answer in guesses] == [401, 401, 401, 429]
    assert [said(answer)[1] for answer in guesses] == [2, 1, 0, 0]
    assert_problem(guesses[-1], 429)
    assert as_(keyed, "alice").status_code == 200
    assert as_(keyed, "wrong", "192.0.2.2").status_code == 401


def test_what_a_key_may_not_do_counts_for_the_key(keyed: Api) -> None:
    assert [as_(keyed, "mallory").status_code for _ in range(4)] == [403, 403, 403, 429]
    assert said(as_(keyed, "alice"))[1] == 2


def test_nobody_is_authenticated_twice_because_it_failed(
    keyed: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    class Counting(ByHeader):
        def authenticate(self, request: Request) -> tuple[str, str] | None:
            asked.append(request)
            return super().authenticate(request)

    monkeypatch.setattr(ApiView, "authentication_classes", (Counting,))
    answer = as_(keyed, "away")

    assert answer.status_code == 503
    assert said(answer)[1] == 2
    assert len(asked) == 1


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "Remote-Addr"])
def test_a_client_cannot_claim_another_address(three_an_hour: Api, header: str) -> None:
    codes = [
        three_an_hour.client.get(
            "/api/v1/applications", headers={header: f"192.0.2.{host}"}
        ).status_code
        for host in range(1, 5)
    ]

    assert codes == [200, 200, 200, 429]


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.1", "address:192.0.2.1"),
        ("::ffff:192.0.2.1", "address:192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "address:2001:db8:1:2::"),
        ("2001:db8:1:2::", "address:2001:db8:1:2::"),
        ("fe80::1%eth0", "address:fe80::"),
        ("::1", "address:::"),
        ("", "address:unknown"),
        ("192.0.2.1:80", "address:unknown"),
        ("a\r\nb\0\ud800", "address:unknown"),
    ],
)
def test_an_address_is_counted_as(address: str, name: str) -> None:
    plain = RequestFactory().get("/", REMOTE_ADDR=address)

    assert client_name(Request(cast("HttpRequest", plain))) == name
