"""DELETE of a message: its text is gone for good, its number stays."""

import pytest

from ingest.dead_letters.replay import replay
from ingest.models import DeadLetter
from messages_app.models import Message
from tests.api.client import Api
from tests.api.problems import assert_problem
from tests.dead_letters.test_replaying import letter_of
from tests.rows import new_message

TEXT = "the secret of Ada"


@pytest.fixture
def chat(api: Api) -> str:
    """A chat with three messages; the second one is to be erased."""
    chat = api.new_chat()
    for body in ("first", TEXT, "third"):
        api.post(f"{chat}/messages", {"body": body, "sender": "Ada", "metadata": {"of": body}})
    return chat


def everything_shown(api: Api, chat: str) -> str:
    """All that the API shows of the chat."""
    pages = [api.get(f"{chat}/messages"), api.get(f"{chat}/messages/2")]
    pages.append(api.get(f"{chat}/messages/search", query="e"))
    return "".join(page.content.decode() for page in pages)


@pytest.mark.both
def test_only_number_and_times_stay(api: Api, chat: str) -> None:
    before = api.get(f"{chat}/messages/2")

    answer = api.delete(f"{chat}/messages/2")

    assert (answer.status_code, answer.content) == (204, b"")
    shown = api.get(f"{chat}/messages/2")
    erased_at = shown.json()["erased_at"]
    assert shown.json() == before.json() | {
        "body": None,
        "sender": None,
        "metadata": None,
        "updated_at": erased_at,
        "erased_at": erased_at,
    }
    assert shown["ETag"] != before["ETag"]
    listed = api.get(f"{chat}/messages").json()["results"]
    assert [one["body"] for one in listed] == ["first", None, "third"]
    assert listed[1] == shown.json()
    assert "erased_at" not in listed[0]
    assert TEXT not in everything_shown(api, chat)
    row = Message.objects.get(message_number=2)
    assert (row.body, row.sender, row.metadata) == ("", None, None)


@pytest.mark.both
def test_a_search_finds_it_no_more(api: Api, chat: str) -> None:
    assert api.get(f"{chat}/messages/search", query="secret").json()["results"]

    api.delete(f"{chat}/messages/2")

    assert api.get(f"{chat}/messages/search", query="secret").json()["results"] == []


@pytest.mark.both
def test_a_repeat_changes_nothing(api: Api, chat: str) -> None:
    api.delete(f"{chat}/messages/2")
    before = api.get(f"{chat}/messages/2")

    assert api.delete(f"{chat}/messages/2").status_code == 204

    after = api.get(f"{chat}/messages/2")
    assert (after.json(), after["ETag"]) == (before.json(), before["ETag"])


@pytest.mark.both
def test_it_cannot_be_edited(api: Api, chat: str) -> None:
    api.delete(f"{chat}/messages/2")
    before = api.get(f"{chat}/messages/2")

    for answer in (
        api.put(f"{chat}/messages/2", {"body": "new"}),
        api.patch(f"{chat}/messages/2", {"sender": "new"}),
        api.put(f"{chat}/messages/2", {"body": "new"}, **{"If-Match": before["ETag"]}),
        api.put(f"{chat}/messages/2", {"body": "new"}, **{"If-Match": "*"}),
    ):
        assert "erased" in assert_problem(answer, 409)["detail"]
    assert api.get(f"{chat}/messages/2").json() == before.json()


@pytest.mark.both
def test_a_condition_is_obeyed(api: Api, chat: str) -> None:
    message = f"{chat}/messages/2"
    seen = api.get(message)["ETag"]
    api.patch(message, {"sender": "Bob"})

    assert_problem(api.delete(message, **{"If-Match": seen}), 412)
    assert_problem(api.delete(message, **{"If-None-Match": "*"}), 412)
    assert_problem(api.delete(message, **{"If-Match": "1"}), 400)
    assert api.get(message).json()["body"] == TEXT

    current = api.get(message)["ETag"]
    assert api.delete(message, **{"If-Match": current}).status_code == 204
    assert_problem(api.delete(message, **{"If-Match": current}), 412)
    assert api.delete(message, **{"If-Match": api.get(message)["ETag"]}).status_code == 204


@pytest.mark.both
def test_the_number_is_not_given_again(api: Api, chat: str) -> None:
    api.delete(f"{chat}/messages/3")

    assert api.say(chat, "fourth") == [4]


@pytest.mark.both
def test_what_is_not_there_cannot_be_erased(api: Api, chat: str) -> None:
    for number in (4, 10**15):
        assert_problem(api.delete(f"{chat}/messages/{number}"), 404)
    assert_problem(api.delete(f"{chat[:-1]}9/messages/1"), 404)
    assert not Message.objects.exclude(erased_at=None).exists()


@pytest.mark.both
def test_a_message_among_the_dead_letters_is_erased(api: Api, chat: str) -> None:
    token, number = chat.split("/")[2], int(chat.rsplit("/", 1)[1])
    letter = letter_of(new_message(token, number, TEXT).numbered(4))
    assert_problem(api.get(f"{chat}/messages/4"), 404)

    assert api.delete(f"{chat}/messages/4").status_code == 204

    shown = api.get(f"{chat}/messages/4").json()
    assert (shown["body"], bool(shown["erased_at"])) == (None, True)
    assert not DeadLetter.objects.exists()
    replay(letter)  # by an operator who had it before
    assert api.get(f"{chat}/messages/4").json() == shown


@pytest.mark.both
def test_letters_of_its_number_go_with_a_stored_message(api: Api, chat: str) -> None:
    token, number = chat.split("/")[2], int(chat.rsplit("/", 1)[1])
    letter_of(new_message(token, number, f"another {TEXT}").numbered(2))
    other = letter_of(new_message(token, number, "of another number").numbered(3))

    api.delete(f"{chat}/messages/2")

    assert DeadLetter.objects.get() == other
