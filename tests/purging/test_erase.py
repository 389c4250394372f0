"""`manage.py erase`: all messages of a person, or of a chat, and no others."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from infra.errors import DomainError
from ingest.models import DeadLetter
from messages_app.models import Message
from retention import erase
from retention.erase import ErasureScope, erase_all
from tests.api.client import Api
from tests.dead_letters.test_replaying import letter_of
from tests.rows import new_message

pytestmark = pytest.mark.both

SENDERS = ("Ada", "ada", None)


@pytest.fixture
def application(api: Api) -> str:
    """An application with two chats, in which Ada and others have said something."""
    application = api.new_application()
    for _ in range(2):
        chat = api.new_chat(application)
        many = [{"body": f"by {sender}", "sender": sender} for sender in SENDERS * 3]
        api.post(f"{chat}/messages/bulk", {"messages": many})
    return application


@pytest.fixture(autouse=True)
def few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erase, "ROWS", 2)
    monkeypatch.setattr(erase, "PAGE", 2)


def command(application: str, *arguments: str) -> Any:
    """The result of the command."""
    output = StringIO()
    token = application.rpartition("/")[2]
    call_command("erase", "--application", token, *arguments, "--json", stdout=output)
    return json.loads(output.getvalue())


def bodies(api: Api, application: str) -> list[str | None]:
    """The bodies of the application's messages, chat by chat."""
    chats = api.get(f"{application}/chats").json()["results"]
    paths = [f"{application}/chats/{chat['chat_number']}/messages" for chat in chats]
    return [one["body"] for path in paths for one in api.get(path).json()["results"]]


def test_all_that_a_sender_has_said_is_erased(api: Api, application: str) -> None:
    other = api.new_chat()
    api.post(f"{other}/messages", {"body": "elsewhere", "sender": "Ada"})
    found = {"stored": 6, "pending": 0, "dead_letters": 0}

    assert command(application, "--sender", " Ada ", "--dry-run") == found | {"dry_run": True}
    assert None not in bodies(api, application)
    assert command(application, "--sender", " Ada ") == found | {"dry_run": False}

    assert bodies(api, application) == [None, "by ada", "by None"] * 6
    assert api.get(f"{other}/messages/1").json()["body"] == "elsewhere"
    assert command(application, "--sender", "Ada")["stored"] == 0


def test_all_messages_of_a_chat_are_erased(api: Api, application: str) -> None:
    api.delete(f"{application}/chats/1/messages/3")

    assert command(application, "--chat", "1", "--dry-run")["stored"] == 8
    assert command(application, "--chat", "1")["stored"] == 8

    assert bodies(api, application) == [None] * 9 + ["by Ada", "by ada", "by None"] * 3
    assert api.say(f"{application}/chats/1", "later") == [10]


def test_dead_letters_are_erased(api: Api, application: str) -> None:
    token = application.rpartition("/")[2]
    letters = [
        letter_of(new_message(token, chat, body).numbered(20))
        for chat, body in ((1, "in chat 1"), (2, "in chat 2"))
    ]
    other = letter_of(new_message("b" * 24, 1, "elsewhere").numbered(20))

    assert command(application, "--chat", "1", "--dry-run")["dead_letters"] == 1
    assert command(application, "--chat", "1")["dead_letters"] == 1

    assert [*DeadLetter.objects.order_by("pk")] == [letters[1], other]
    assert api.get(f"{application}/chats/1/messages/20").json()["body"] is None


def test_an_interrupted_erasure_goes_on(api: Api, application: str) -> None:
    class Killed(Exception):
        pass

    def kill(erased: int) -> None:
        raise Killed

    token = application.rpartition("/")[2]
    for left in (4, 2):
        with pytest.raises(Killed):
            erase_all(ErasureScope(token, sender="Ada"), kill)
        assert Message.objects.filter(sender="Ada").count() == left

    assert command(application, "--sender", "Ada")["stored"] == 2
    assert not Message.objects.filter(sender="Ada").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "required"),
        (("--sender", "x", "--chat", "1"), "not allowed"),
        (("--sender", ""), "blank"),
        (("--sender", "a\0"), "NUL"),
        (("--chat", "0"), "not the number"),
        (("--chat", "x"), "not the number"),
        (("--chat", "9" * 400), "not the number"),
        (("--chat", "99"), "no such chat"),
    ],
)
def test_bad_arguments_are_refused(
    application: str, arguments: tuple[str, ...], message: str
) -> None:
    with pytest.raises((CommandError, DomainError), match=message):
        command(application, *arguments)


def test_an_unknown_application_is_refused(api: Api) -> None:
    with pytest.raises(CommandError, match="No application"):
        command("x", "--sender", "Ada")
