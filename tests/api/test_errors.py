"""Whatever is wrong with a request, its answer is a problem document that says so."""

from typing import Any

import pytest
from django.db import OperationalError

from applications import selectors
from tests.api.client import Api
from tests.api.problems import assert_problem

UNKNOWN = "0" * 24
FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, "type"),
        (7, "type"),
        (1.5, "type"),
        (True, "type"),
        (["x"], "type"),
        ({"x": 1}, "type"),
        ("", "blank"),
        (" \t\u3000", "blank"),
        ("a\0b", "null"),
        ("x" * 256, "max_length"),
    ],
)
def test_a_bad_name_is_refused_by_field_and_code(api: Api, value: object, code: str) -> None:
    application = api.new_application()
    for send, path in ((api.post, "/applications"), (api.patch, application)):
        problem = assert_problem(send(path, {"name": value}), 400)
        assert [(e["field"], e["code"]) for e in problem["errors"]] == [("name", code)]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (7, "type"),
        (["x"], "type"),
        ("", "blank"),
        ("\n \u2003", "blank"),
        ("a\0b", "null"),
        ("x" * 16385, "max_length"),
        ("€" * 5462, "max_length"),
        ("😀" * 4097, "max_length"),
    ],
)
def test_a_bad_body_is_refused_and_takes_no_number(api: Api, value: object, code: str) -> None:
    chat = api.new_chat()

    problem = assert_problem(api.post(f"{chat}/messages", {"body": value}), 400)

    assert [(e["field"], e["code"]) for e in problem["errors"]] == [("body", code)]
    assert api.say(chat, "good") == [1]


@pytest.mark.parametrize("request_body", [{}, {"names": "x"}, b""])
def test_a_missing_field_is_named(api: Api, request_body: object) -> None:
    problem = assert_problem(api.post("/applications", request_body), 400)

    assert [(e["field"], e["code"]) for e in problem["errors"]] == [("name", "required")]


@pytest.mark.parametrize(
    "request_body",
    [
        b"[]",
        b'"text"',
        b"7",
        b"null",
        b"{",
        b'{"name": }',
        b'{"name": NaN}',
        b"\xff\xfe",
        b'{"name": "\xff"}',
        b'{"name": "\\ud800"}',
        b'{"name": "a"} trailing',
        b'{"name": "cut',
        b"[" * 60000 + b"]" * 60000,
        b'{"a":' * 20000 + b"1" + b"}" * 20000,
        b'{"name": ' + b"9" * 4000 + b"}",
        b"\0" * 100,
    ],
)
def test_what_is_no_json_object_is_a_400(api: Api, request_body: bytes) -> None:
    assert_problem(api.post("/applications", request_body), 400)


def test_the_last_of_duplicate_keys_counts(api: Api) -> None:
    answer = api.post("/applications", b'{"name": "a", "name": "b"}')

    assert answer.json()["name"] == "b"


@pytest.mark.parametrize("request_body", [b"name=%FF", b"name=%ED%A0%80", b"a=1&" * 200])
def test_a_form_that_is_no_text_is_a_400(api: Api, request_body: bytes) -> None:
    assert_problem(api.post("/applications", request_body, content_type=FORM), 400)


@pytest.mark.parametrize("content_type", ["multipart/form-data; boundary=x", "text/plain", "junk"])
def test_other_media_types_are_a_415(api: Api, content_type: str) -> None:
    assert_problem(api.post("/applications", b"--x--", content_type=content_type), 415)


def test_an_answer_that_cannot_be_had_is_a_406(api: Api) -> None:
    assert_problem(api.client.get("/api/v1/applications", headers={"Accept": "image/png"}), 406)


def test_a_request_over_128_kib_is_a_413(api: Api) -> None:
    fits = b'{"name": "x"' + b" " * (128 * 1024 - 13) + b"}"

    assert api.post("/applications", fits).status_code == 201
    assert_problem(api.post("/applications", fits + b" "), 413)


@pytest.mark.parametrize("method", ["delete", "trace", "put"])
def test_a_wrong_method_is_a_405_with_allow(api: Api, method: str) -> None:
    answer = getattr(api.client, method)("/api/v1/applications")

    assert_problem(answer, 405)
    assert "POST" in answer["Allow"]


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


@pytest.mark.parametrize(
    "number", ["0", "01", "-1", "+1", "1.0", "1e3", "٣", "9" * 19, "9" * 400, "1%00", "%201", "x"]
)
def test_what_is_no_number_in_an_address_is_a_404(api: Api, number: str) -> None:
    chat = api.new_chat()
    api.say(chat, "x")
    for path in (f"{chat.rpartition('/')[0]}/{number}", f"{chat}/messages/{number}"):
        assert_problem(api.get(path), 404)


def test_a_foreign_host_is_a_400(api: Api) -> None:
    assert_problem(api.client.get("/api/v1/applications", headers={"Host": "evil.example"}), 400)


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
