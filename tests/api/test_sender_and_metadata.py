"""Sender and metadata: optional, kept as they were given, and refused by clear rules."""

from typing import Any

import pytest

from tests.api.client import Api
from tests.api.problems import assert_problem

SHORT = {"text": "x", "none": None, "yes": True, "list": [1, -0.5, {}], "é": {"b": 1, "a": 2}}


def nested(levels: int, innermost: str = "1") -> bytes:
    """Metadata of this many levels; objects and lists alternate."""
    text = innermost
    for level in range(levels, 0, -1):
        text = f'{{"x":{text}}}' if level % 2 else f"[{text}]"
    return b'{"body":"x","name":"x","metadata":%s}' % text.encode()


def with_metadata(text: str) -> bytes:
    return b'{"body":"x","name":"x","metadata":%s}' % text.encode()


@pytest.fixture
def chat(api: Api) -> str:
    return api.new_chat()


@pytest.mark.both
def test_they_are_kept_as_they_were_given(api: Api, chat: str) -> None:
    given = {"body": " x ", "sender": "  Zoë 🎉 ", "metadata": SHORT}
    created = api.post(f"{chat}/messages", given)

    shown = created.json()
    assert (shown["body"], shown["sender"]) == (" x ", "Zoë 🎉")
    assert list(shown["metadata"]) == list(SHORT)
    assert shown["metadata"] == SHORT
    assert b'"metadata":{"text":"x","none":null,"yes":true,"list":[1,-0.5,{}]' in created.content
    assert api.get(created["Location"]).content == created.content
    assert api.get(f"{chat}/messages").json()["results"] == [shown]


@pytest.mark.both
def test_a_chat_has_metadata_too(api: Api) -> None:
    application = api.new_application()
    created = api.post(f"{application}/chats", {"name": "x", "metadata": SHORT})

    assert created.json()["metadata"] == SHORT
    assert api.get(created["Location"]).json() == created.json()
    assert api.get(f"{application}/chats").json()["results"] == [created.json()]


@pytest.mark.both
def test_many_have_their_own(api: Api, chat: str) -> None:
    many = [{"body": "a", "sender": "A"}, {"body": "b", "metadata": {"n": 1}}, {"body": "c"}]
    results = api.post(f"{chat}/messages/bulk", {"messages": many}).json()["results"]

    assert [one["sender"] for one in results] == ["A", None, None]
    assert [one["metadata"] for one in results] == [None, {"n": 1}, None]
    assert api.get(f"{chat}/messages").json()["results"] == results


@pytest.mark.both
def test_patch_changes_what_it_names_and_put_changes_all(api: Api, chat: str) -> None:
    api.post(f"{chat}/messages", {"body": "x", "sender": "A", "metadata": {"n": 1}})
    message = f"{chat}/messages/1"

    def fields(answer: Any) -> tuple[Any, ...]:
        shown = answer.json()
        assert api.get(message).json() == shown
        return shown["body"], shown["sender"], shown["metadata"]

    assert fields(api.patch(message, {"sender": "B"})) == ("x", "B", {"n": 1})
    assert fields(api.patch(message, {"metadata": {}})) == ("x", "B", {})
    assert fields(api.patch(message, {"body": "y"})) == ("y", "B", {})
    assert fields(api.patch(message, {"sender": None})) == ("y", None, {})
    assert fields(api.put(message, {"body": "z", "sender": "C"})) == ("z", "C", None)
    assert fields(api.put(message, {"body": "z"})) == ("z", None, None)
    problem = assert_problem(api.put(message, {"sender": "C"}), 400)
    assert [(one["field"], one["code"]) for one in problem["errors"]] == [("body", "required")]


@pytest.mark.both
def test_a_chat_is_edited_alike(api: Api, chat: str) -> None:
    name = api.get(chat).json()["name"]

    assert api.patch(chat, {"metadata": {"n": 1}}).json()["name"] == name
    assert api.patch(chat, {"name": "new"}).json()["metadata"] == {"n": 1}
    assert api.put(chat, {"name": "newer"}).json()["metadata"] is None


@pytest.mark.parametrize("body", [b"{}", b'{"other": 1}', b'{"messages": []}'])
def test_a_patch_without_a_known_field_is_refused(api: Api, chat: str, body: bytes) -> None:
    api.say(chat, "x")
    for item in (chat, f"{chat}/messages/1"):
        [error] = assert_problem(api.patch(item, body), 400)["errors"]
        assert error["code"] == "required"
        assert "metadata" in error["message"]


@pytest.mark.parametrize(
    "metadata",
    [
        "{}",
        '{"":""}',
        '{"a":9223372036854775807,"b":-9223372036854775808,"c":18446744073709551615}',
        '{"a":1.7976931348623157e10,"b":-0.0,"c":5e-324}',
        '{"x":"' + "é" * 2044 + '"}',
        '{"a":1,"a":2}',
        '{"a":"\\ud83d\\ude00\\u2028"}',
    ],
)
def test_the_limits_themselves_are_accepted(api: Api, chat: str, metadata: str) -> None:
    answer = api.post(f"{chat}/messages", with_metadata(metadata))

    assert answer.status_code == 201, answer.content


@pytest.mark.parametrize("innermost", ["1", "{}", "[]"])
def test_eight_levels_are_accepted_and_nine_are_not(api: Api, chat: str, innermost: str) -> None:
    levels = 8 if innermost == "1" else 7

    assert api.post(f"{chat}/messages", nested(levels, innermost)).status_code == 201
    answer = api.post(f"{chat}/messages", nested(levels + 1, innermost))
    [error] = assert_problem(answer, 400)["errors"]
    assert (error["field"], error["code"]) == ("metadata", "depth")


@pytest.mark.parametrize(
    ("metadata", "code"),
    [
        ("[]", "type"),
        ('"{}"', "type"),
        ("1", "type"),
        ("true", "type"),
        ('{"a":"\\u0000"}', "null"),
        ('{"a\\u0000":1}', "null"),
        ('{"a":[[{"b\\u0000":1}]]}', "null"),
        ('{"a":18446744073709551616}', "number"),
        ('{"a":-9223372036854775809}', "number"),
        ('{"a":1e300}', "number"),
        ('{"a":[1' + "0" * 400 + "]}", None),
        ('{"x":"' + "é" * 2045 + '"}', "max_length"),
        ('{"x":[' + "1," * 3000 + "1]}", "max_length"),
        ('{"a":NaN}', None),
        ('{"a":Infinity}', None),
        ('{"a":1e400}', None),
        ('{"a":"\\ud800"}', None),
        ('{"a":"\\udc00\\ud800"}', None),
        ('{"a":' + "[" * 100_000 + "]" * 100_000 + "}", None),
        ('{"a":' + "[" * 500 + "]" * 500 + "}", "depth"),
    ],
)
@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "k"}], ids=["", "with a key"])
def test_bad_metadata_is_refused_everywhere(
    api: Api, chat: str, metadata: str, code: str | None, key: dict[str, str]
) -> None:
    api.say(chat, "said")
    application = chat.rpartition("/chats/")[0]
    request = with_metadata(metadata)
    many = b'{"messages":[{"body":"x"},%s]}' % request
    before = api.get(f"{chat}/messages").content

    for answer, field in (
        (api.post(f"{chat}/messages", request, **key), "metadata"),
        (api.post(f"{application}/chats", request, **key), "metadata"),
        (api.post(f"{chat}/messages/bulk", many, **key), "messages[1].metadata"),
        (api.put(f"{chat}/messages/1", request), "metadata"),
        (api.patch(f"{chat}/messages/1", request), "metadata"),
        (api.patch(chat, request), "metadata"),
    ):
        if answer.status_code == 413:
            continue  # longer than a request may be
        problem = assert_problem(answer, 400)
        if code:
            assert [(one["field"], one["code"]) for one in problem["errors"]] == [(field, code)]
    assert api.get(f"{chat}/messages").content == before


@pytest.mark.parametrize(
    ("sender", "code"),
    [
        ("", "blank"),
        (" \u200b ", "blank"),
        ("x" * 256, "max_length"),
        (7, "type"),
        (["x"], "type"),
        ({}, "type"),
        (False, "type"),
        ("a\0b", "null"),
    ],
)
def test_a_bad_sender_is_refused(api: Api, chat: str, sender: Any, code: str) -> None:
    answer = api.post(f"{chat}/messages", {"body": "x", "sender": sender})

    [error] = assert_problem(answer, 400)["errors"]
    assert (error["field"], error["code"]) == ("sender", code)


def test_a_sender_may_have_255_characters_of_any_kind(api: Api, chat: str) -> None:
    sender = "😀" * 255
    assert api.post(f"{chat}/messages", {"body": "x", "sender": sender}).status_code == 201
    assert api.get(f"{chat}/messages/1").json()["sender"] == sender


def test_a_form_has_a_sender_and_no_metadata(api: Api, chat: str) -> None:
    form = "application/x-www-form-urlencoded"
    answer = api.post(f"{chat}/messages", b"body=x&sender=Ada", content_type=form)
    assert answer.json()["sender"] == "Ada"

    answer = api.post(f"{chat}/messages", b"body=x&metadata=%7B%7D", content_type=form)
    [error] = assert_problem(answer, 400)["errors"]
    assert (error["field"], error["code"]) == ("metadata", "type")


@pytest.mark.both
def test_a_repeat_with_other_metadata_is_another_request(api: Api, chat: str) -> None:
    once = {"Idempotency-Key": "k"}
    first = api.post(f"{chat}/messages", {"body": "x", "metadata": {"a": 1, "b": 2}}, **once)

    repeat = api.post(f"{chat}/messages", {"metadata": {"b": 2, "a": 1}, "body": "x"}, **once)
    assert repeat.status_code == 201
    assert repeat["Idempotency-Replayed"] == "true"
    assert repeat.json()["message_number"] == first.json()["message_number"]

    for other in ({"metadata": {"a": 1}}, {"sender": "A", "metadata": {"a": 1, "b": 2}}, {}):
        answer = api.post(f"{chat}/messages", {"body": "x", **other}, **once)
        assert_problem(answer, 422)
