"""Whatever goes wrong, on either side, the answer is a problem document that says so."""

from typing import Any

import pytest
from django.db import OperationalError

from applications import selectors
from tests.api.client import Api
from tests.api.problems import assert_problem

UNKNOWN = "0" * 24


def test_the_last_of_duplicate_keys_counts(api: Api) -> None:
    answer = api.post("/applications", b'{"name": "a", "name": "b"}')

    assert answer.json()["name"] == "b"


def test_a_request_over_128_kib_is_a_413(api: Api) -> None:
    fits = b'{"name": "x"' + b" " * (128 * 1024 - 13) + b"}"

    assert api.post("/applications", fits).status_code == 201
    assert_problem(api.post("/applications", fits + b" "), 413)


def test_what_does_not_exist_is_a_404(api: Api) -> None:
    application = api.new_application()
    chat = api.new_chat(application)
    body = {"name": "x", "body": "x"}
    for parent in (f"/applications/{UNKNOWN}", f"/applications/{UNKNOWN}/chats/1", f"{chat}0"):
        for answer in (api.get(parent), api.put(parent, body)):
            assert_problem(answer, 404)
    for answer in (
        api.get(f"/applications/{UNKNOWN}/chats"),
        api.post(f"/applications/{UNKNOWN}/chats", body),
        api.get(f"{chat}0/messages"),
        api.post(f"{chat}0/messages", body),
        api.get(f"{chat}0/messages/search", query="x"),
        api.get(f"{chat}/messages/1"),
        api.patch(f"{chat}/messages/1", body),
    ):
        assert_problem(answer, 404)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/nothing",
        "/api/v1",
        "/api/v1/applicationsX",
        "/api/v1/applications//",
        "/api/v1/applications/short",
        "/api/v1/applications/%00",
        f"/api/v1/applications/{UNKNOWN}%0A",
        f"/api/v1/applications/{UNKNOWN}%00/chats",
        f"/api/v1/applications/{UNKNOWN.replace('0', 'A')}",
        "/api/v1/applications/" + "9" * 5000,
        f"/api/v1/applications/{UNKNOWN}/chats/%FF",
        "/api/v1/applications/%ED%A0%80",
    ],
)
@pytest.mark.parametrize("debug", [False, True])
def test_an_unknown_address_is_a_404_with_any_method(
    api: Api, path: str, debug: bool, settings: Any
) -> None:
    settings.DEBUG = debug
    for method in ("get", "post", "put", "delete"):
        assert_problem(getattr(api.client, method)(path), 404)


def test_an_unexpected_error_is_a_bare_500(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(**_: object) -> None:
        raise ValueError("a secret of ours")

    monkeypatch.setattr(selectors, "get_application", fail)

    answer = api.get(f"/applications/{UNKNOWN}")

    assert_problem(answer, 500)
    assert b"secret" not in answer.content
    assert "a secret of ours" in caplog.text


def test_a_database_that_is_away_is_a_503_with_retry_after(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> None:
        raise OperationalError(2006, "Server has gone away")

    monkeypatch.setattr(selectors, "get_application", fail)

    answer = api.get(f"/applications/{UNKNOWN}")

    assert_problem(answer, 503)
    assert int(answer["Retry-After"]) > 0


def test_a_sane_request_id_is_kept_and_another_is_replaced(api: Api) -> None:
    for given, kept in (("abc-123", True), ("a" * 129, False), ("a b", False), ("é", False)):
        answer = api.client.get("/api/v1/nothing", headers={"X-Request-ID": given})
        assert (answer["X-Request-ID"] == given) is kept
        assert_problem(answer, 404)
