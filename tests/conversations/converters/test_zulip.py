"""Zulip's export: channels with topics, direct messages, and what belongs to messages."""

from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError

from conversations.converters.items import Fate
from tests.conversations.converters.conversion import Conversion, converted, foldered, tarred

pytestmark = pytest.mark.django_db

REALM: dict[str, Any] = {
    "zerver_realm": [{"id": 1, "name": "Our Zulip"}],
    "zerver_userprofile": [
        {"id": 10, "full_name": "Ann", "email": "ann@example.com", "is_bot": False},
        {"id": 11, "full_name": "Bob", "email": "bob@example.com", "is_bot": False},
        {"id": 12, "full_name": "CI", "email": "ci@example.com", "is_bot": True},
    ],
    "zerver_userprofile_mirrordummy": [{"id": 13, "full_name": "", "email": "left@example.com"}],
    "zerver_userprofile_crossrealm": [{"id": 5, "email": "notification-bot@zulip.com"}],
    "zerver_stream": [
        {
            "id": 20,
            "name": "general",
            "description": "For everybody",
            "invite_only": False,
            "date_created": 1500000000.25,
        },
        {"id": 21, "name": "empty", "invite_only": True, "deactivated": True},
    ],
    "zerver_recipient": [
        {"id": 30, "type": 2, "type_id": 20},
        {"id": 31, "type": 1, "type_id": 10},
        {"id": 32, "type": 1, "type_id": 11},
        {"id": 33, "type": 3, "type_id": 40},
    ],
    "zerver_subscription": [{"recipient": 33, "user_profile": user} for user in (10, 11, 13)],
    "zerver_reaction": [
        {"message": 101, "emoji_name": "tada", "user_profile": user} for user in (10, 11)
    ],
}
ATTACHMENTS = {
    "zerver_attachment": [{"file_name": "a.pdf", "path_id": "1/ab/a.pdf", "messages": [101]}]
}


def message(key: int, content: str, **more: Any) -> dict[str, Any]:
    """A message of Ann in #general."""
    about = {"id": key, "sender": 10, "recipient": 30, "subject": "news", "content": content}
    return {**about, "date_sent": 1600000000.5 + key, "last_edit_time": None, **more}


def files_of(*messages: dict[str, Any]) -> dict[str, Any]:
    """The files of an export, with one message in each numbered file."""
    numbered = {
        f"zulip-export/messages-{number:06}.json": {
            "zerver_message": [one],
            "zerver_usermessage": [],
        }
        for number, one in enumerate(messages, start=1)
    }
    return {
        **numbered,
        "zulip-export/uploads/1/realm.json": b"an upload of this name",
        "zulip-export/attachment.json": ATTACHMENTS,
        "zulip-export/realm.json": REALM,
    }


def of_messages(folder: Path, *messages: dict[str, Any]) -> Conversion:
    """The conversion of an export with these messages."""
    return converted("zulip", tarred(folder / "zulip-export.tar.gz", files_of(*messages)))


def test_channels_are_chats(tmp_path: Path) -> None:
    done = of_messages(tmp_path)

    assert [(chat["name"], chat["metadata"]) for chat in done.chats] == [
        (
            "general",
            {"source": "zulip", "id": 20, "kind": "channel", "purpose": "For everybody"},
        ),
        ("empty", {"source": "zulip", "id": 21, "kind": "private", "archived": True}),
    ]
    assert done.chats[0]["created_at"] == "2017-07-14T02:40:00.250000Z"


def test_messages_have_their_topic_and_what_belongs_to_them(tmp_path: Path) -> None:
    done = of_messages(
        tmp_path, message(102, "second", last_edit_time=1600000999.0), message(101, "first")
    )

    first, second = done.messages()
    assert (first["body"], first["sender"]) == ("first", "Ann")
    assert first["created_at"] == "2020-09-13T12:28:21.500000Z"
    assert first["metadata"] == {
        "id": 101, "user": 10, "topic": "news", "reactions": {"tada": 2},
        "files": [{"name": "a.pdf", "url": "uploads/1/ab/a.pdf"}],
    }  # fmt: skip
    assert second["updated_at"] == "2020-09-13T12:43:19.000000Z"


def test_direct_messages_of_two_are_one_chat_in_both_directions(tmp_path: Path) -> None:
    done = of_messages(
        tmp_path,
        message(1, "to Bob", recipient=32),
        message(2, "to Ann", recipient=31, sender=11),
        message(3, "to all", recipient=33),
        message(4, "to myself", recipient=31),
    )

    assert [(chat["name"], chat["metadata"]["kind"]) for chat in done.chats[2:]] == [
        ("Ann, Bob", "direct"), ("Ann, Bob, left@example.com", "group"), ("Ann", "direct"),
    ]  # fmt: skip
    assert [one["body"] for one in done.messages(3)] == ["to Bob", "to Ann"]
    assert "topic" not in done.messages(3)[0]["metadata"]


def test_bots_and_missing_users(tmp_path: Path) -> None:
    done = of_messages(
        tmp_path,
        message(1, "built", sender=12),
        message(2, "moved", sender=5),
        message(3, "who?", sender=99),
        message(4, "nowhere", recipient=77),
        message(5, ""),
    )

    messages = done.messages()
    assert [one["sender"] for one in messages] == ["CI", "notification-bot@zulip.com", "99"]
    assert [one["metadata"].get("bot") for one in messages] == [True, True, None]
    assert done.count(Fate.UNKNOWN_SENDER) == 1
    assert done.count(Fate.MALFORMED) == 1
    assert done.count(Fate.EMPTY) == 1


def test_an_unpacked_export_gives_the_same(tmp_path: Path) -> None:
    messages = [message(2, "b"), message(1, "a")]
    packed = of_messages(tmp_path, *messages)
    unpacked = converted("zulip", foldered(tmp_path / "zulip-export", files_of(*messages)))

    assert packed.lines == unpacked.lines


def test_what_is_no_export_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"has no realm\.json"):
        converted("zulip", tarred(tmp_path / "a.tar.gz", {"a/b.json": {}}))
