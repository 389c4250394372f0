"""Mattermost's bulk export: channels, posts with their replies, direct conversations."""

import gzip
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError

from conversations.converters.items import Fate
from tests.conversations.converters.conversion import Conversion, as_lines, converted, zipped

pytestmark = pytest.mark.django_db

BEFORE: list[dict[str, Any]] = [
    {"type": "version", "version": 1},
    {"type": "team", "team": {"name": "core", "display_name": "Core", "type": "O"}},
    {
        "type": "channel",
        "channel": {
            "team": "core",
            "name": "town-square",
            "display_name": "Town Square",
            "type": "O",
            "header": "News",
            "purpose": "",
        },
    },
    {
        "type": "channel",
        "channel": {"team": "core", "name": "ops", "display_name": "", "type": "P"},
    },
    {"type": "user", "user": {"username": "ann", "email": "ann@example.com"}},
]


def post(at: int, message: str, **more: Any) -> dict[str, Any]:
    """A post of Ann in the town square."""
    about = {"team": "core", "channel": "town-square", "user": "ann", "create_at": at, **more}
    return {"type": "post", "post": {**about, "message": message}}


def of_lines(folder: Path, *lines: dict[str, Any]) -> Conversion:
    """The conversion of these lines behind those of teams, channels and users."""
    path = folder / "export.jsonl"
    path.write_bytes(as_lines([*BEFORE, *lines]))
    return converted("mattermost", path)


def test_channels_are_chats(tmp_path: Path) -> None:
    done = of_lines(tmp_path)

    assert [(chat["name"], chat["metadata"]) for chat in done.chats] == [
        (
            "Town Square",
            {
                "source": "mattermost", "team": "core", "id": "town-square", "kind": "channel",
                "topic": "News",
            },
        ),
        ("ops", {"source": "mattermost", "team": "core", "id": "ops", "kind": "private"}),
    ]  # fmt: skip


def test_posts_and_replies_are_numbered_by_time(tmp_path: Path) -> None:
    replies = [
        {"user": "bob", "message": "late reply", "create_at": 1600000005000},
        {"user": "ann", "message": "reply", "create_at": 1600000002000, "edit_at": 1600000009001},
    ]
    done = of_lines(
        tmp_path,
        post(1600000003000, "second post"),
        post(1600000001000, "first post", replies=replies, is_pinned=True),
    )

    messages = done.messages()
    assert [one["body"] for one in messages] == [
        "first post", "reply", "second post", "late reply",
    ]  # fmt: skip
    assert [one["sender"] for one in messages] == ["ann", "ann", "ann", "bob"]
    assert [one["metadata"] for one in messages] == [
        {"pinned": True}, {"reply_to": 1}, None, {"reply_to": 1},
    ]  # fmt: skip
    assert messages[1]["updated_at"] == "2020-09-13T12:26:49.001000Z"


def test_direct_conversations_are_found_whatever_the_order_of_members(tmp_path: Path) -> None:
    def direct(members: list[str], message: str, at: int) -> dict[str, Any]:
        about = {"user": members[0], "message": message, "create_at": at}
        return {"type": "direct_post", "direct_post": {"channel_members": members, **about}}

    participants = [{"username": "bob"}, {"username": "ann"}, {"username": "cem"}]
    done = of_lines(
        tmp_path,
        {"type": "direct_channel", "direct_channel": {"members": ["bob", "ann"], "header": "h"}},
        {"type": "direct_channel", "direct_channel": {"participants": participants}},
        direct(["ann", "bob"], "hi", 1600000000000),
        direct(["bob", "ann"], "hello", 1600000001000),
        direct(["dan", "dan"], "to myself", 1600000001000),
    )

    assert [(chat["name"], chat["metadata"]["kind"]) for chat in done.chats[2:]] == [
        ("ann, bob", "direct"), ("ann, bob, cem", "group"), ("dan", "direct"),
    ]  # fmt: skip
    assert done.chats[2]["metadata"]["topic"] == "h"
    assert [one["body"] for one in done.messages(3)] == ["hi", "hello"]


def test_bots_the_system_deletions_and_reactions(tmp_path: Path) -> None:
    reactions = [{"user": user, "emoji_name": "tada", "create_at": 1} for user in ("ann", "bob")]
    webhook = {"from_webhook": "true", "override_username": "CI"}
    done = of_lines(
        tmp_path,
        post(1600000000000, "", props={**webhook, "attachments": [{"fallback": "failed"}]}),
        post(1600000001000, "ann joined", type="system_join_channel"),
        post(1600000002000, "gone", delete_at=1600000008000),
        post(1600000003000, "!", reactions=reactions),
    )

    bot, joined, gone, liked = done.messages()
    assert (bot["sender"], bot["body"], bot["metadata"]) == (
        "CI", "failed", {"user": "ann", "bot": True},
    )  # fmt: skip
    assert joined["metadata"] == {"system": "join_channel"}
    assert gone["erased_at"] == "2020-09-13T12:26:48.000000Z"
    assert "body" not in gone
    assert liked["metadata"] == {"reactions": {"tada": 2}}
    assert done.count(Fate.ERASED) == 1


def test_attachments_are_paths_in_metadata(tmp_path: Path) -> None:
    attachments = [{"path": "20200101/teams/noteam/a file.pdf"}]
    [message] = of_lines(tmp_path, post(1600000000000, "", attachments=attachments)).messages()

    assert message["body"] == "a file.pdf"
    assert message["metadata"]["files"] == [
        {"name": "a file.pdf", "url": "20200101/teams/noteam/a file.pdf"}
    ]


def test_odd_lines_are_counted_and_unknown_ones_passed_over(tmp_path: Path) -> None:
    done = of_lines(
        tmp_path,
        {"type": "emoji", "emoji": {"name": "party"}},
        {"type": "post", "post": {"team": "core", "channel": "town-square", "message": "no time"}},
        {"type": "post"},
        post(1600000000000, "in a channel that no line describes", channel="gone"),
    )

    assert done.count(Fate.MALFORMED) == 1
    assert done.count(Fate.UNKNOWN_CHAT) == 1
    assert done.chats[-1]["name"] == "core/gone"


def test_a_zip_has_the_lines_beside_the_attachments(tmp_path: Path) -> None:
    content = as_lines([*BEFORE, post(1600000000000, "hi")])
    path = zipped(tmp_path / "export.zip", {"import.jsonl": content, "data/x/import.jsonl": b"{"})

    assert len(converted("mattermost", path).messages()) == 1


def test_a_gzip_of_lines(tmp_path: Path) -> None:
    path = tmp_path / "export.jsonl.gz"
    path.write_bytes(gzip.compress(as_lines([*BEFORE, post(1600000000000, "hi")])))

    assert len(converted("mattermost", path).messages()) == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (as_lines([post(1600000000000, "hi")]), "has no version line"),
        (b'{"type":\n', "export.jsonl:1 is not valid JSON"),
        (gzip.compress(as_lines(BEFORE))[:-9], "is damaged or encrypted"),
    ],
)
def test_what_is_no_export_is_one_sentence(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "export.jsonl"
    path.write_bytes(content)
    with pytest.raises(CommandError, match=reason):
        converted("mattermost", path)
