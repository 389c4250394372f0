"""Slack's export: conversations, users, and what becomes of each kind of message."""

from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError

from conversations.converters.items import Fate
from tests.conversations.converters.conversion import Conversion, converted, foldered, zipped

pytestmark = pytest.mark.django_db

USERS = [
    {"id": "U1", "name": "ann", "profile": {"display_name": "Ann", "real_name": "Ann Lee"}},
    {"id": "U2", "name": "bob", "real_name": "Bob Ray", "profile": {"display_name": ""}},
    {"id": "U3", "name": "helper", "is_bot": True, "profile": {"real_name": "Helper"}},
]
FILES: dict[str, Any] = {
    "users.json": USERS,
    "channels.json": [
        {
            "id": "C1",
            "name": "general",
            "created": 1500000000,
            "members": ["U1", "U2"],
            "topic": {"value": "News"},
            "purpose": {"value": ""},
        },
        {"id": "C2", "name": "empty", "created": 1500000001, "is_archived": True},
    ],
    "groups.json": [{"id": "G1", "name": "secret", "created": 1500000002}],
    "mpims.json": [{"id": "G2", "name": "mpdm-ann--bob--x-1", "members": ["U1", "U2", "U9"]}],
    "dms.json": [{"id": "D1", "created": 1500000003, "members": ["U1", "U2"]}],
    "integration_logs.json": [{"service_id": "1"}],
    "secret/2020-01-01.json": [
        {"type": "message", "user": "U1", "text": "psst", "ts": "1600000000.1"}
    ],
    "mpdm-ann--bob--x-1/2020-01-01.json": [],
    "D1/2020-01-01.json": [{"type": "message", "user": "U2", "text": "hi", "ts": "1600000000.1"}],
}


def of_general(folder: Path, *days: list[dict[str, Any]]) -> Conversion:
    """The conversion of an export with these messages in #general, one list a day."""
    files = {f"general/2020-01-{day:02}.json": said for day, said in enumerate(days, start=1)}
    return converted("slack", zipped(folder / "Our Slack.zip", {**FILES, **files}))


def said(ts: str, text: str, **more: Any) -> dict[str, Any]:
    """A message of Ann."""
    return {"type": "message", "user": "U1", "text": text, "ts": ts, **more}


def test_every_conversation_is_a_chat(tmp_path: Path) -> None:
    done = of_general(tmp_path)

    assert done.lines[0]["name"] == "Our Slack"
    assert [
        (chat["chat_number"], chat["name"], chat["metadata"]["kind"]) for chat in done.chats
    ] == [
        (1, "general", "channel"),
        (2, "empty", "channel"),
        (3, "secret", "private"),
        (4, "Ann, Bob Ray, U9", "group"),
        (5, "Ann, Bob Ray", "direct"),
    ]
    assert done.chats[0]["created_at"] == "2017-07-14T02:40:00.000000Z"
    assert done.chats[0]["metadata"] == {
        "source": "slack", "id": "C1", "kind": "channel", "topic": "News",
    }  # fmt: skip
    assert done.chats[1]["metadata"]["archived"] is True
    assert [chat["messages_count"] for chat in done.chats] == [0, 0, 1, 0, 1]


def test_messages_are_numbered_by_time_across_days(tmp_path: Path) -> None:
    done = of_general(
        tmp_path, [said("1600000002.000200", "third"), said("1600000002.0001", "second")],
        [said("1600000001.5", "first")],
    )  # fmt: skip

    messages = done.messages()
    assert [one["body"] for one in messages] == ["first", "second", "third"]
    assert [one["message_number"] for one in messages] == [1, 2, 3]
    assert messages[2]["created_at"] == "2020-09-13T12:26:42.000200Z"
    assert messages[0]["sender"] == "Ann"


def test_replies_name_the_number_of_their_root(tmp_path: Path) -> None:
    done = of_general(
        tmp_path,
        [
            said("1600000000.1", "before"),
            said("1600000001.1", "root", thread_ts="1600000001.1", reply_count=2),
            said("1600000002.1", "reply", thread_ts="1600000001.1"),
            said("1600000003.1", "lost", thread_ts="1500000001.1"),
        ],
    )

    _, root, reply, lost = (one["metadata"] for one in done.messages())
    assert root == {"id": "1600000001.1", "user": "U1"}
    assert reply["reply_to"] == 2
    assert lost["reply_to_id"] == "1500000001.1"
    assert done.count(Fate.NO_ROOT) == 1


def test_edits_and_deletions(tmp_path: Path) -> None:
    done = of_general(
        tmp_path,
        [
            said("1600000000.1", "edited", edited={"user": "U1", "ts": "1600000009.0"}),
            said(
                "1600000001.1", "This message was deleted.", subtype="tombstone", user="USLACKBOT"
            ),
            said("1600000002.1", "", subtype="message_changed", hidden=True),
            said("1600000003.1", "", subtype="message_deleted", hidden=True),
        ],
    )

    edited, erased = done.messages()
    assert edited["updated_at"] == "2020-09-13T12:26:49.000000Z"
    assert edited["version"] == 2
    assert erased == {
        "type": "message", "chat_number": 1, "message_number": 2,
        "erased_at": "2020-09-13T12:26:41.100000Z",
        "created_at": "2020-09-13T12:26:41.100000Z",
        "updated_at": "2020-09-13T12:26:41.100000Z",
        "version": 2,
    }  # fmt: skip
    assert (done.count(Fate.ERASED), done.count(Fate.EVENTS)) == (1, 2)


def test_bots_the_system_and_missing_users(tmp_path: Path) -> None:
    bot = {"type": "message", "subtype": "bot_message", "bot_id": "B1", "username": "CI"}
    done = of_general(
        tmp_path,
        [
            {
                **bot,
                "text": "",
                "ts": "1600000000.1",
                "attachments": [{"fallback": "Build failed"}],
            },
            said("1600000001.1", "beep", user="U3"),
            said("1600000002.1", "<@U2> has joined the channel", user="U2", subtype="channel_join"),
            said("1600000003.1", "who?", user="U8"),
            said("1600000004.1", "I", user="U9", user_profile={"real_name": "Guest"}),
        ],
    )

    messages = done.messages()
    assert [one["sender"] for one in messages] == ["CI", "Helper", "Bob Ray", "U8", "Guest"]
    assert [one["metadata"].get("bot") for one in messages] == [True, True, None, None, None]
    assert messages[0]["body"] == "Build failed"
    assert messages[2]["metadata"]["system"] == "channel_join"
    assert messages[2]["body"] == "@Bob Ray has joined the channel"
    assert done.count(Fate.UNKNOWN_SENDER) == 1


def test_markup_becomes_plain_text(tmp_path: Path) -> None:
    text = "<!here> <@U1|x> in <#C1|general>: a &lt; b &amp; <https://a.b|see> <https://c.d>"
    [message] = of_general(tmp_path, [said("1600000000.1", text)]).messages()

    assert message["body"] == "@here @x in #general: a < b & see (https://a.b) https://c.d"


def test_files_are_links_in_metadata(tmp_path: Path) -> None:
    file = {"id": "F1", "name": "a.pdf", "url_private": "https://files.slack.com/a.pdf"}
    gone = {"id": "F2", "mode": "tombstone"}
    done = of_general(
        tmp_path,
        [said("1600000000.1", "look", files=[file]), said("1600000001.1", "", files=[file, gone])],
    )

    with_text, without = done.messages()
    link = {"name": "a.pdf", "url": "https://files.slack.com/a.pdf"}
    assert with_text["metadata"]["files"] == [link]
    assert without["metadata"]["files"] == [link, {"name": "F2", "url": ""}]
    assert without["body"] == "a.pdf\nF2"
    assert done.count(Fate.FILES_AS_BODY) == 1


def test_reactions_are_counted(tmp_path: Path) -> None:
    reactions = [{"name": "tada", "count": 2, "users": ["U1", "U2"]}]
    [message] = of_general(tmp_path, [said("1600000000.1", "!", reactions=reactions)]).messages()

    assert message["metadata"]["reactions"] == {"tada": 2}


def test_long_messages_are_split_and_joined_they_are_the_same(tmp_path: Path) -> None:
    text = "€" * 12_000
    done = of_general(tmp_path, [said("1600000000.1", text), said("1600000000.2", "next")])

    *parts, following = done.messages()
    assert "".join(one["body"] for one in parts) == text
    assert [one["metadata"]["part"] for one in parts] == [1, 2, 3]
    assert {one["metadata"]["parts"] for one in parts} == {3}
    assert {one["created_at"] for one in parts} == {"2020-09-13T12:26:40.100000Z"}
    assert following["body"] == "next"
    assert done.count(Fate.SPLIT) == 1


def test_odd_messages_are_left_out_and_counted(tmp_path: Path) -> None:
    again = said("1600000009.1", "twice")
    done = of_general(
        tmp_path,
        [
            said("1600000000.1", " "),
            {"type": "message", "text": "no time"},
            said("soon", "no time"),
            said("1600000001.1", "a\0b\ud800c"),
            again,
            again,
        ],
    )

    assert [one["body"] for one in done.messages()] == ["a\ufffdb\ufffdc", "twice"]
    assert done.count(Fate.EMPTY) == 1
    assert done.count(Fate.MALFORMED) == 2
    assert done.count(Fate.REPEATED) == 1
    assert done.count(Fate.CHARACTERS) == 1


def test_metadata_keep_their_limit(tmp_path: Path) -> None:
    files = [
        {"name": f"{number}.txt", "permalink": "https://x/" + "y" * 300} for number in range(40)
    ]
    done = of_general(tmp_path, [said("1600000000.1", "!", files=files)])

    [message] = done.messages()
    assert 5 < len(message["metadata"]["files"]) < 40
    assert message["metadata"]["id"] == "1600000000.1"
    assert done.count(Fate.METADATA) > 0


def test_a_folder_that_no_list_names_is_a_chat_too(tmp_path: Path) -> None:
    files = {**FILES, "old-name/2020-01-01.json": [said("1600000000.1", "a")]}
    done = converted("slack", foldered(tmp_path / "export", files))

    assert done.chats[-1]["name"] == "old-name"
    assert done.count(Fate.UNKNOWN_CHAT) == 1


def test_a_folder_around_everything_and_a_name(tmp_path: Path) -> None:
    files = {f"export/{name}": content for name, content in FILES.items()}
    done = converted("slack", zipped(tmp_path / "a.zip", files), name="Slack of old")

    assert done.lines[0]["name"] == "Slack of old"
    assert len(done.chats) == 5


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"a.txt": b"x"}, "has no channels.json"),
        ({"channels.json": b"[{"}, "channels.json is not valid JSON in UTF-8"),
    ],
)
def test_what_is_no_export_is_one_sentence(
    files: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(CommandError, match=reason):
        converted("slack", zipped(tmp_path / "a.zip", files))
    assert not (tmp_path / "converted.jsonl.gz").exists()


def test_a_damaged_archive_is_one_sentence(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", FILES)
    content = bytearray(path.read_bytes())
    content[40:60] = b"x" * 20
    path.write_bytes(content)
    with pytest.raises(CommandError, match="is damaged or encrypted"):
        converted("slack", path)


def test_a_missing_archive_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read: No such file"):
        converted("slack", tmp_path / "none.zip")
