"""A request with an Idempotency-Key takes effect once, however often and however it is sent."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection, connections
from django.utils import timezone

from applications.authentication import hash_of
from applications.models import Application
from applications.services import find_application
from chats.models import Chat
from ingest.idempotency import RequestKey
from ingest.idempotency.records import forget_old_keys
from ingest.models import IdempotencyKey
from messages_app.models import Message
from tests.api.client import Api
from tests.api.problems import assert_problem

FORM = "application/x-www-form-urlencoded"


def send(api: Api, path: str, body: Any, key: str = "a-key", **headers: str) -> Any:
    return api.post(path, body, **{"Idempotency-Key": key}, **headers)


def as_repeated(answer: dict[str, Any]) -> dict[str, Any]:
    """The same without the key of an application, of which only the hash is kept."""
    return {**answer, "key": None} if "key" in answer else answer


@pytest.fixture
def chat(api: Api) -> str:
    return api.new_chat()


ROUTES: dict[str, tuple[Callable[[str], str], Any, Any]] = {
    "applications": (lambda _: "/applications", {"name": "one"}, {"name": "two"}),
    "chats": (lambda chat: chat.rpartition("/")[0], {"name": "one"}, {"name": "two"}),
    "messages": (lambda chat: f"{chat}/messages", {"body": "one"}, {"body": "two"}),
    "bulk": (
        lambda chat: f"{chat}/messages/bulk",
        {"messages": [{"body": "one"}, {"body": "two"}]},
        {"messages": [{"body": "two"}, {"body": "one"}]},
    ),
}


@pytest.mark.both
@pytest.mark.parametrize("route", ROUTES)
def test_a_repeat_gets_the_first_answer(api: Api, chat: str, route: str) -> None:
    path, body, _ = ROUTES[route]
    first = send(api, path(chat), body)
    counts = [model.objects.count() for model in (Application, Chat, Message)]

    again = send(api, path(chat), body)

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == as_repeated(first.json())
    assert again.get("Location") == first.get("Location")
    assert again.get("ETag") == first.get("ETag")
    assert "Idempotency-Replayed" not in first
    assert again["Idempotency-Replayed"] == "true"
    assert [model.objects.count() for model in (Application, Chat, Message)] == counts


@pytest.mark.both
@pytest.mark.parametrize("route", ROUTES)
def test_another_body_under_the_same_key_is_refused(api: Api, chat: str, route: str) -> None:
    path, body, other = ROUTES[route]
    first = send(api, path(chat), body).json()

    assert_problem(send(api, path(chat), other), 422)

    assert send(api, path(chat), body).json() == as_repeated(first)


def test_what_is_compared_is_what_the_request_says(api: Api, chat: str) -> None:
    path = f"{chat}/messages"
    send(api, path, b'{"body": "caf\\u00e9", "x": [1, 2]}')

    same = send(api, path, '{ "x":[1,2] ,"body":"café"}'.encode())
    form = send(api, f"{path}/", b"body=caf%C3%A9", content_type=FORM)

    assert same["Idempotency-Replayed"] == "true"
    assert_problem(form, 422)


def nested(levels: int, operations: str = "") -> str:
    return "[" * levels + operations + "]" * levels


#: More levels than orjson writes, and as many as it reads.
DEEP = [
    nested(260),
    nested(1000, '{"b": 1.5, "a": [null, true, ""]}'),
    '{"a": ' * 700 + "18446744073709551616" + "}" * 700,
]


@pytest.mark.parametrize("deep", DEEP)
@pytest.mark.parametrize("route", ROUTES)
def test_what_is_ignored_is_ignored_with_a_key_too(
    api: Api, chat: str, route: str, deep: str
) -> None:
    path, known, _ = ROUTES[route]
    body = json.dumps({**known, "extra": "$"}).replace('"$"', deep).encode()

    without = api.post(path(chat), body)
    first = send(api, path(chat), body)
    again = send(api, path(chat), body)

    assert (without.status_code, first.status_code, again.status_code) == (201, 201, 201)
    assert again.json() == as_repeated(first.json())


def test_deep_values_are_compared_by_what_they_say(api: Api, chat: str) -> None:
    path = f"{chat}/messages"
    deep = nested(300, '{"a": 1, "b": [[], ["x"]]}')
    send(api, path, b'{"body": "x", "extra": %s}' % deep.encode())

    same = nested(300, '{"b":[[],["x"]],"a":1}')
    others = [
        nested(301, '{"a": 1, "b": [[], ["x"]]}'),
        nested(300, '{"a": 1, "b": [["x"], []]}'),
        nested(300, '{"a": 1, "b": [[], "x"]}'),
        nested(300, '{"a": "1", "b": [[], ["x"]]}'),
        nested(300, '{"a": 1, "c": [[], ["x"]]}'),
    ]

    assert send(api, path, b'{"extra":%s,"body":"x"}' % same.encode())["Idempotency-Replayed"]
    for other in others:
        assert_problem(send(api, path, b'{"body": "x", "extra": %s}' % other.encode()), 422)


@pytest.mark.both
def test_a_key_counts_for_its_path(api: Api, chat: str) -> None:
    sibling = api.new_chat()

    numbers = [
        send(api, f"{one}/messages", {"body": "x"}).json()["message_number"]
        for one in (chat, sibling)
    ]

    assert numbers == [1, 1]
    assert Message.objects.count() == 2


@pytest.mark.both
def test_keys_are_told_apart(api: Api, chat: str) -> None:
    keys = ["a", "A", "a ".strip() + "!", "~" * 255, "a,b"]

    numbers = [
        send(api, f"{chat}/messages", {"body": "x"}, key).json()["message_number"] for key in keys
    ]

    assert numbers == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "é", "\x7f", "a\tb"])
@pytest.mark.parametrize("route", ROUTES)
def test_an_invalid_key_is_refused(api: Api, chat: str, route: str, key: str) -> None:
    path, body, _ = ROUTES[route]

    answer = send(api, path(chat), body, key)

    assert_problem(answer, 400)
    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"


@pytest.mark.both
def test_a_failed_attempt_is_not_remembered(api: Api, chat: str) -> None:
    assert_problem(send(api, f"{chat}/messages", {"body": ""}), 400)
    assert_problem(send(api, f"{chat}9/messages", {"body": "x"}), 404)

    assert send(api, f"{chat}/messages", {"body": "x"}).json()["message_number"] == 1


@pytest.mark.both
def test_the_first_answer_is_given_whatever_has_changed_since(api: Api, chat: str) -> None:
    first = send(api, f"{chat}/messages", {"body": "x"})
    api.put(f"{chat}/messages/1", {"body": "edited"})

    assert send(api, f"{chat}/messages", {"body": "x"}).json() == first.json()


@pytest.mark.both
def test_a_day_later_the_key_is_free_again(api: Api, chat: str) -> None:
    send(api, f"{chat}/messages", {"body": "x"})
    send(api, "/applications", {"name": "x"})
    IdempotencyKey.objects.update(accepted_at=timezone.now() - timedelta(hours=24, seconds=1))

    again = send(api, f"{chat}/messages", {"body": "another"})

    assert again.json()["message_number"] == 2
    assert "Idempotency-Replayed" not in send(api, "/applications", {"name": "y"})
    assert send(api, f"{chat}/messages", {"body": "another"})["Idempotency-Replayed"] == "true"


@pytest.mark.both
def test_what_counts_no_more_is_forgotten(
    api: Api, chat: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.idempotency.records._DELETED_AT_ONCE", 2)
    for key in "abcde":
        send(api, f"{chat}/messages", {"body": "x"}, key)
    IdempotencyKey.objects.update(accepted_at=timezone.now() - timedelta(hours=25))
    send(api, f"{chat}/messages", {"body": "x"}, "f")

    assert forget_old_keys() == 5
    assert IdempotencyKey.objects.count() == 1


def test_reads_and_edits_take_no_notice_of_a_key(api: Api, chat: str) -> None:
    api.say(chat, "x")

    for _ in range(2):
        answer = api.put(f"{chat}/messages/1", {"body": "y"}, **{"Idempotency-Key": "a b"})
        assert answer.status_code == 200


@pytest.mark.both
@pytest.mark.parametrize("what", ["the key of an application", "an application"])
def test_of_two_that_make_a_secret_at_once_one_does(
    transactional_db: None, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    application = Api().new_application()
    path, body = (
        (f"{application}/key", None) if "the key" in what else ("/applications", {"name": "x"})
    )
    both, look, first_looks = threading.Barrier(2, timeout=30), find_application, threading.local()
    # SQLite has one writer at a time: where the second has to wait for the first, they never meet.
    meet_within = 0.2 if connection.vendor == "sqlite" else 5

    def look_when_both_are_there(key: RequestKey) -> IdempotencyKey | None:
        found = look(key)
        if not hasattr(first_looks, "done"):
            first_looks.done = True
            with suppress(threading.BrokenBarrierError):
                both.wait(meet_within)
        return found

    monkeypatch.setattr("applications.services.find_application", look_when_both_are_there)

    def one(_: int) -> Any:
        try:
            return send(Api(), path, body)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(one, range(2)))

    assert [answer.status_code // 100 for answer in answers] == [2, 2]
    [key] = [answer.json()["key"] for answer in answers if answer.json()["key"]]
    [repeat] = [answer for answer in answers if answer.json()["key"] is None]
    assert repeat["Idempotency-Replayed"] == "true"
    assert Application.objects.order_by("-pk")[0].key_hash == hash_of(key)
    assert Application.objects.count() == (1 if "the key" in what else 2)


@pytest.mark.both
def test_a_key_whose_request_cannot_be_kept_is_not_replaced(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    application = api.new_application()
    stored = Application.objects.get().key_hash

    def fail(*_: object) -> None:
        raise OperationalError(1040, "Too many connections")

    monkeypatch.setattr("applications.services.claim_application", fail)

    assert_problem(send(api, f"{application}/key", None), 503)
    assert Application.objects.get().key_hash == stored


@pytest.mark.both
def test_a_key_is_rotated_once_and_shown_once(api: Api) -> None:
    application = api.new_application()
    first = send(api, f"{application}/key", {}, "rotate")
    stored = Application.objects.get(token=application.split("/")[2]).key_hash

    again = send(api, f"{application}/key", {}, "rotate")

    assert (first.status_code, again.status_code) == (200, 200)
    assert len(first.json()["key"]) == 64
    assert again.json() == {"key": None}
    assert again["Idempotency-Replayed"] == "true"
    assert Application.objects.get(token=application.split("/")[2]).key_hash == stored
    assert_problem(send(api, f"{application}/key", {"x": 1}, "rotate"), 422)
    assert_problem(send(api, "/applications/" + 24 * "0" + "/key", {}, "rotate"), 404)
