"""Create, read and update of applications, chats and messages."""

import re

import pytest

from tests.api.client import Api

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


@pytest.mark.both
def test_an_application_is_created_with_a_token_and_found_at_its_location(api: Api) -> None:
    created = api.post("/applications", {"name": "  Ünïcode 会話 🎉 "})

    assert created.status_code == 201
    body = created.json()
    assert list(body) == ["token", "name", "chats_count", "created_at", "updated_at", "key"]
    assert re.fullmatch("[0-9a-f]{64}", body.pop("key"))
    assert (body["name"], body["chats_count"]) == ("Ünïcode 会話 🎉", 0)
    assert TIME.fullmatch(body["created_at"])
    assert created["Location"] == f"http://testserver/api/v1/applications/{body['token']}"
    assert api.get(created["Location"]).json() == body


@pytest.mark.both
def test_chats_are_numbered_from_one_within_each_application(api: Api) -> None:
    first, second = api.new_application(), api.new_application()

    answers = [api.post(f"{first}/chats", {"name": f"chat {n}"}) for n in range(3)]
    other = api.post(f"{second}/chats", {"name": "another"})

    assert [answer.json()["chat_number"] for answer in (*answers, other)] == [1, 2, 3, 1]
    body = other.json()
    assert list(body) == [
        "chat_number",
        "application_token",
        "name",
        "metadata",
        "messages_count",
        "created_at",
        "updated_at",
    ]
    assert body["application_token"] == second.rpartition("/")[2]
    assert other["Location"] == f"http://testserver/api/v1{second}/chats/1"
    assert api.get(other["Location"]).json() == body


@pytest.mark.both
def test_messages_are_numbered_from_one_within_each_chat(api: Api) -> None:
    application = api.new_application()
    first, second = api.new_chat(application), api.new_chat(application)

    assert api.say(first, "a", "b", "c") == [1, 2, 3]
    created = api.post(f"{second}/messages", {"body": "d"})

    body = created.json()
    assert list(body) == [
        "message_number",
        "application_token",
        "chat_number",
        "body",
        "sender",
        "metadata",
        "created_at",
        "updated_at",
    ]
    assert (body["message_number"], body["chat_number"]) == (1, 2)
    assert api.get(created["Location"]).json() == body


@pytest.mark.both
@pytest.mark.parametrize(
    "body",
    [
        " leading and trailing \n",
        "line\r\nbreaks\n",
        "שלום العربية 漢字 ไทย 🤷🏽‍♀️",
        "e\u0301 is not é",
        "<b>&amp;</b> '\" \\ %_*?",
        "\ufeff\u200b\u202e\x01\x7f",
        "x" * 16384,
        "€" * 5461,
    ],
)
def test_a_body_is_kept_as_it_was_sent(api: Api, body: str) -> None:
    chat = api.new_chat()

    answer = api.post(f"{chat}/messages", {"body": body})

    assert answer.status_code == 201
    assert api.get(f"{chat}/messages/1").json()["body"] == body


@pytest.mark.both
@pytest.mark.parametrize("method", ["put", "patch"])
def test_put_and_patch_change_what_is_shown_and_the_time(api: Api, method: str) -> None:
    chat = api.new_chat()
    api.say(chat, "before")
    application = chat.rpartition("/chats/")[0]
    changes = ((application, "name"), (chat, "name"), (f"{chat}/messages/1", "body"))
    for path, changed in changes:
        before = api.get(path).json()

        answer = getattr(api, method)(path, {changed: "after"})

        assert answer.status_code == 200
        assert answer.json() == {
            **before,
            changed: "after",
            "updated_at": answer.json()["updated_at"],
        }
        assert answer.json()["updated_at"] > before["updated_at"]
        assert api.get(path).json() == answer.json()


def test_a_form_is_as_good_as_json(api: Api) -> None:
    form = "application/x-www-form-urlencoded"

    answer = api.post("/applications", b"name=a+b%C3%A9&name=last", content_type=form)

    assert (answer.status_code, answer.json()["name"]) == (201, "last")


def test_a_trailing_slash_changes_nothing(api: Api) -> None:
    chat = api.new_chat()
    api.say(chat, "x")
    paths = (
        "/applications",
        chat.rpartition("/chats")[0],
        f"{chat}/messages",
        f"{chat}/messages/1",
        f"{chat}/messages/search",
    )
    for path in paths:
        with_slash, without = (api.client.get(f"/api/v1{path}{end}?query=x") for end in ("/", ""))
        assert with_slash.status_code == without.status_code == 200
        assert with_slash.json()["results" if "results" in without.json() else "created_at"]


def test_head_is_get_and_options_tells_the_methods(api: Api) -> None:
    head = api.client.head("/api/v1/applications")
    options = api.client.options("/api/v1/applications")

    assert (head.status_code, head.content) == (200, b"")
    assert (options.status_code, options.content) == (204, b"")
    assert "Content-Type" not in options
    assert set(options["Allow"].split(", ")) == {"GET", "POST", "HEAD", "OPTIONS"}


@pytest.mark.parametrize(
    "path", ["/api/v1/schema", "/api/v1/docs", "/health/live", "/health/ready"]
)
def test_the_other_routes_answer_options_too(api: Api, path: str) -> None:
    for end in ("", "/"):
        options = api.client.options(f"{path}{end}", headers={"Accept": "text/html"})

        assert options.status_code in (204, 406)
        assert api.client.get(f"{path}{end}").status_code == 200


def test_an_empty_accept_says_nothing(api: Api) -> None:
    for path in ("/api/v1/applications", "/api/v1/schema"):
        assert api.client.get(path, headers={"Accept": ""}).status_code == 200


def test_unknown_fields_are_ignored(api: Api) -> None:
    answer = api.post("/applications", {"name": "n", "token": "mine", "chats_count": 7})

    assert answer.status_code == 201
    assert (answer.json()["token"], answer.json()["chats_count"]) != ("mine", 7)
    assert answer.json()["chats_count"] == 0
