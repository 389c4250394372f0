"""On every route, another client's application is indistinguishable from a missing one."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.api.client import JSON, Api
from tests.api.problems import assert_problem
from tests.api.test_errors import UNKNOWN
from tests.keys.clients import WEBHOOK_ID, Owner

OPENAPI = Path(__file__).resolve().parent.parent.parent / "docs" / "openapi.yaml"
ROUTES = [path for path in yaml.safe_load(OPENAPI.read_text())["paths"] if "{token}" in path]
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
SENT: dict[str, dict[str, Any]] = {
    "nothing": {},
    "what is valid": {
        "data": b'{"name": "x", "body": "x", "messages": [{"body": "x"}]}',
        "content_type": JSON,
    },
    "what is no JSON": {"data": b"{", "content_type": JSON},
    "what is too large": {"data": b" " * 200_000, "content_type": JSON},
    "another media type": {"data": b"x", "content_type": "text/plain"},
    "a broken query": {"QUERY_STRING": "limit=0&query=%FF"},
    "an unheard-of format": {"headers": {"Accept": "image/png"}},
    "a condition": {"headers": {"If-Match": '"1"', "If-None-Match": "*"}},
    "an idempotency key": {"headers": {"Idempotency-Key": "once"}},
}


def test_every_route_below_an_application_is_tried() -> None:
    assert len(ROUTES) >= 7


@pytest.mark.parametrize("sent", SENT)
@pytest.mark.parametrize("route", ROUTES)
def test_the_application_of_another_key_is_answered_as_none(
    owner: Owner, stranger: Owner, route: str, sent: str
) -> None:
    for method in METHODS:
        one, other = (
            ask(stranger.api, method, route, token, sent) for token in (owner.token, UNKNOWN)
        )
        assert facts(one) == facts(other), method
        if sent != "an unheard-of format":
            assert one.status_code == 404, (method, one.content)


@pytest.mark.parametrize("route", ROUTES)
def test_nothing_is_looked_up_for_a_key_that_does_not_open_it(
    owner: Owner, stranger: Owner, route: str
) -> None:
    stranger.api.get(stranger.path)
    for method in METHODS:
        with CaptureQueriesContext(connection) as captured:
            ask(stranger.api, method, route, owner.token, "what is valid")
        # At most the key itself, where another second has begun.
        assert not [query for query in captured.captured_queries if owner.token in query["sql"]]


@pytest.mark.parametrize("route", ROUTES)
def test_the_own_application_and_every_one_of_an_operator_is_open(
    owner: Owner, operator: Api, route: str
) -> None:
    for api in (owner.api, operator):
        answer = ask(api, "GET", route, owner.token, "nothing", query="hello")

        assert answer.status_code in (200, 405), answer.content


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("sent", SENT)
def test_without_a_key_nothing_is_open(owner: Owner, route: str, sent: str) -> None:
    for method in METHODS:
        one, other = (ask(Api(), method, route, token, sent) for token in (owner.token, UNKNOWN))
        assert facts(one) == facts(other), method
        if sent != "an unheard-of format":
            assert (one.status_code, one["WWW-Authenticate"]) == (401, "Bearer")


def test_nothing_that_another_key_sends_is_done(owner: Owner, stranger: Owner) -> None:
    before = owner.api.get(owner.path).json()

    assert_problem(stranger.api.put(owner.path, {"name": "mine"}), 404)
    assert_problem(stranger.api.post(f"{owner.path}/key"), 404)
    assert_problem(stranger.api.post(f"{owner.path}/chats", {"name": "mine"}), 404)

    assert owner.api.get(owner.path).json() == before
    assert len(owner.api.get(f"{owner.path}/chats").json()["results"]) == 1


def ask(api: Api, method: str, route: str, token: str, sent: str, **query: str) -> Any:
    """The answer to such a request at the route of the application's chat, message and webhook."""
    path = route.format(token=token, chat_number=1, message_number=1, webhook_id=WEBHOOK_ID)
    path += f"?query={query['query']}" if query else ""
    return api.client.generic(method, path, **SENT[sent])


def facts(answer: Any) -> tuple[object, ...]:
    """All of the answer but what names the request."""
    headers = {name: value for name, value in answer.items() if name != "X-Request-ID"}
    body = answer.json() if answer.content else {}
    assert not answer.content or body.pop("request_id") == answer["X-Request-ID"]
    body.pop("instance", None)
    return answer.status_code, headers, body
