"""Mattermost's bulk export: JSON lines, alone or in a zip with the attached files.

It is read line by line; a line is a post with all its replies.
"""

from collections.abc import Iterator
from datetime import datetime

from conversations.converters.archive import Archive, Member
from conversations.converters.items import (
    Fates,
    File,
    ForeignChat,
    ForeignMessage,
    Item,
    Json,
    at_microseconds,
    description,
    objects,
    text,
    without_blanks,
)
from conversations.errors import SourceUnreadable

_KINDS = {"O": "channel", "P": "private"}


def read(archive: Archive, fates: Fates) -> Iterator[Item]:
    """The chats and messages of this export. Raises SourceUnreadable."""
    has_version = False
    for member in archive.members():
        if _is_data(archive, member):
            for number, data in enumerate(member.read_json_lines(), start=1):
                with fates.malformed_left_out():
                    if not isinstance(data, dict):
                        raise TypeError("a line is no object")
                    has_version |= data.get("type") == "version"
                    yield from _items(data, f"{member.path}:{number}")
    if not has_version:
        raise SourceUnreadable(f"{archive.path} has no version line: it is no Mattermost export.")


def _is_data(archive: Archive, member: Member) -> bool:
    """Whether this file has the lines. In a zip, attached files are below data/."""
    is_single = member.path.name == archive.path.name
    return is_single or (member.path.suffix == ".jsonl" and member.path.parts[0] != "data")


def _items(line: Json, key: str) -> Iterator[Item]:
    match line.get("type"), line.get(str(line.get("type"))):
        case "channel", dict() as channel:
            yield _channel(channel)
        case "direct_channel", dict() as channel:
            yield _direct_channel(_members(channel), text(channel.get("header")))
        case "post", dict() as post:
            yield from _thread(f"{post['team']}/{post['channel']}", key, post)
        case "direct_post", dict() as post:
            chat = _direct_channel(_members(post), "")
            yield chat
            yield from _thread(chat.key, key, post)
        case _:
            pass  # teams, users, emoji, roles: no conversations


def _channel(channel: Json) -> ForeignChat:
    team, name = str(channel["team"]), str(channel["name"])
    return ForeignChat(
        key=f"{team}/{name}",
        name=text(channel.get("display_name")) or name,
        metadata=without_blanks(
            source="mattermost",
            team=team,
            id=name,
            kind=_KINDS.get(text(channel.get("type")), "channel"),
            archived=bool(channel.get("deleted_at")),
            topic=description(channel.get("header")),
            purpose=description(channel.get("purpose")),
        ),
    )


def _members(data: Json) -> list[str]:
    """The user names of a direct channel, however this version of the export calls them."""
    given = data.get("channel_members") or data.get("members")
    if not isinstance(given, list):
        given = [one["username"] for one in objects(data["participants"])]
    return sorted({str(one) for one in given})


def _direct_channel(members: list[str], header: str) -> ForeignChat:
    kind = "direct" if len(members) <= 2 else "group"
    return ForeignChat(
        # No name of a team or channel contains a space.
        key=" ".join(members),
        name=", ".join(members),
        metadata=without_blanks(source="mattermost", kind=kind, topic=description(header)),
    )


def _thread(chat: str, key: str, post: Json) -> Iterator[ForeignMessage]:
    """The post, and its replies, which have no keys of their own."""
    yield _message(chat, key, post, None)
    for number, reply in enumerate(objects(post.get("replies")), start=1):
        yield _message(chat, f"{key}/{number}", reply, key)


def _message(chat: str, key: str, post: Json, thread: str | None) -> ForeignMessage:
    given = post.get("props")
    props: Json = given if isinstance(given, dict) else {}
    kind = text(post.get("type"))
    user = text(post.get("user"))
    reactions: dict[str, object] = {}
    for one in objects(post.get("reactions")):
        name = text(one.get("emoji_name"))
        reactions[name] = int(str(reactions.get(name, 0))) + 1
    deleted_at = _time(post.get("delete_at"))
    files = [
        File(_file_name(one), text(one.get("path"))) for one in objects(post.get("attachments"))
    ]
    return ForeignMessage(
        chat=chat,
        key=key,
        at=at_microseconds(_milliseconds(post["create_at"]) * 1000),
        sender=text(props.get("override_username")) or user or None,
        body="" if deleted_at else _body(post, props),
        metadata=without_blanks(
            user=user if props.get("override_username") else None,
            bot="true" in (props.get("from_bot"), props.get("from_webhook")),
            system=kind.removeprefix("system_") if kind.startswith("system_") else None,
            pinned=post.get("is_pinned"),
            reactions=reactions,
        ),
        files=files,
        thread=thread,
        edited_at=_time(post.get("edit_at")),
        erased_at=deleted_at,
    )


def _body(post: Json, props: Json) -> str:
    """The text; a post without one may have attachments that say something."""
    written = text(post.get("message"))
    if written.strip():
        return written
    attachments = objects(props.get("attachments"))
    return "\n".join(text(one.get("fallback")) or text(one.get("text")) for one in attachments)


def _file_name(attachment: Json) -> str:
    return text(attachment.get("path")).rpartition("/")[2]


def _milliseconds(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError("a time is no integer")
    return value


def _time(value: object) -> datetime | None:
    """A time in milliseconds; 0 stands for none."""
    return at_microseconds(value * 1000) if isinstance(value, int) and value > 0 else None
