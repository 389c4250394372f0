"""Slack's export: lists of conversations and users, and a folder of a JSON file a day for each.

Memory holds the lists and one day of one conversation.
"""

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from conversations.converters.archive import Archive
from conversations.converters.items import (
    Fate,
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

#: The lists of conversations, and what they list.
_LISTS = {
    "channels.json": "channel",
    "groups.json": "private",
    "mpims.json": "group",
    "dms.json": "direct",
}
_USER_LISTS = ("users.json", "org_users.json")

#: Subtypes of messages that somebody wrote; all others are notices of the system.
_WRITTEN = {"", "bot_message", "me_message", "thread_broadcast", "file_share", "file_comment"}
#: Records of changes, in exports of whole organizations; messages themselves have the last text.
_EVENTS = {"message_changed", "message_deleted", "message_replied"}

#: <@U012|ann>, <#C012|general>, <!here>, <https://example.com|label>
_MARKUP = re.compile(r"<([@#!]?)([^<>|]*)(?:\|([^<>]*))?>")


@dataclass
class _Lists:
    """The lists of an export: chats by their folders, names of users by their ids."""

    chats: dict[str, ForeignChat] = field(default_factory=dict)
    users: dict[str, str] = field(default_factory=dict)
    bots: set[str] = field(default_factory=set)

    def name_of(self, user: str) -> str:
        """The name of this user, or the id where it is missing."""
        return self.users.get(user, user)


def read(archive: Archive, fates: Fates) -> Iterator[Item]:
    """The chats and messages of this export. Raises SourceUnreadable."""
    lists = _read_lists(archive, fates)
    yield from lists.chats.values()
    for member in archive.members():
        folder = member.path.parent.name
        if member.path.suffix != ".json" or member.path.name in (*_LISTS, *_USER_LISTS):
            continue
        if folder not in lists.chats and not re.fullmatch(r"\d{4}-\d\d-\d\d", member.path.stem):
            continue
        chat = lists.chats[folder].key if folder in lists.chats else folder
        for data in objects(member.read_json()):
            with fates.malformed_left_out():
                if message := _message(chat, data, lists, fates):
                    yield message


def _read_lists(archive: Archive, fates: Fates) -> _Lists:
    lists, found = _Lists(), {}
    for member in archive.members():
        if member.is_at_top and member.path.name in {*_LISTS, *_USER_LISTS}:
            found[member.path.name] = objects(member.read_json())
    if not found:
        raise SourceUnreadable(f"{archive.path} has no {', '.join(_LISTS)}: it is no Slack export.")
    for name in _USER_LISTS:
        for user in found.get(name, ()):
            with fates.malformed_left_out():
                key = str(user["id"])
                lists.users[key] = _user_name(user) or key
                if user.get("is_bot"):
                    lists.bots.add(key)
    for name, kind in _LISTS.items():
        for chat in found.get(name, ()):
            with fates.malformed_left_out():
                # The folder of a direct conversation bears its id, that of a channel its name.
                folder = str(chat["id"] if kind == "direct" else chat["name"])
                lists.chats.setdefault(folder, _chat(chat, kind, lists))
    return lists


def _user_name(user: Json) -> str:
    profile = user.get("profile")
    of_profile: Json = profile if isinstance(profile, dict) else {}
    return (
        text(of_profile.get("display_name"))
        or text(of_profile.get("real_name"))
        or text(user.get("real_name"))
        or text(user.get("name"))
    )


def _chat(chat: Json, kind: str, lists: _Lists) -> ForeignChat:
    members = chat.get("members")
    names = [lists.name_of(str(one)) for one in members] if isinstance(members, list) else []
    is_named = kind in {"channel", "private"}
    created = chat.get("created")
    return ForeignChat(
        key=str(chat["id"]),
        name=text(chat.get("name")) if is_named else ", ".join(names),
        created_at=at_microseconds(int(created * 1_000_000))
        if isinstance(created, int | float) and created > 0
        else None,
        metadata=without_blanks(
            source="slack",
            id=str(chat["id"]),
            kind=kind,
            archived=chat.get("is_archived"),
            topic=_described(chat.get("topic")),
            purpose=_described(chat.get("purpose")),
        ),
    )


def _described(value: object) -> str | None:
    return description(value.get("value")) if isinstance(value, dict) else None


def _message(chat: str, data: Json, lists: _Lists, fates: Fates) -> ForeignMessage | None:
    """The message of this record; None if the record is about another message."""
    subtype = text(data.get("subtype"))
    if subtype in _EVENTS:
        fates.add(Fate.EVENTS)
        return None
    key = str(data["ts"])
    at = _time(key)
    thread = text(data.get("thread_ts"))
    root = thread if thread and thread != key else None
    edited = data.get("edited")
    edited_at = _time(str(edited["ts"])) if isinstance(edited, dict) else None
    if subtype == "tombstone":
        return ForeignMessage(
            chat, key, at, None, "", thread=root, erased_at=max(at, edited_at or at)
        )
    user = text(data.get("user")) or text(data.get("bot_id"))
    return ForeignMessage(
        chat=chat,
        key=key,
        at=at,
        sender=_sender(data, user, lists, fates),
        body=_body(data, lists),
        metadata=without_blanks(
            id=key,
            user=user,
            bot=subtype == "bot_message" or "bot_id" in data or user in lists.bots,
            system=None if subtype in _WRITTEN else subtype,
            reactions={
                text(one.get("name")): one.get("count") for one in objects(data.get("reactions"))
            },
        ),
        files=[_file(one) for one in objects(data.get("files"))],
        thread=root,
        edited_at=edited_at,
    )


def _time(ts: str) -> datetime:
    """The time of a ts such as 1355517523.000005. Raises ValueError."""
    seconds, _, fraction = ts.partition(".")
    return at_microseconds(int(seconds) * 1_000_000 + int(f"{fraction:0<6}"[:6]))


def _sender(data: Json, user: str, lists: _Lists, fates: Fates) -> str | None:
    bot = data.get("bot_profile")
    of_message = data.get("user_profile")
    name = (
        lists.users.get(user)
        or text(data.get("username"))
        or (text(bot.get("name")) if isinstance(bot, dict) else "")
        or (_user_name({"profile": of_message}) if isinstance(of_message, dict) else "")
    )
    if user and not name:
        fates.add(Fate.UNKNOWN_SENDER)
    return name or user or None


def _file(data: Json) -> File:
    name = text(data.get("name")) or text(data.get("title")) or text(data.get("id"))
    return File(name, text(data.get("url_private")) or text(data.get("permalink")))


def _body(data: Json, lists: _Lists) -> str:
    """The text as plain text; a message without one may have attachments that say something."""
    written = text(data.get("text"))
    if not written.strip():
        written = "\n".join(
            text(one.get("fallback")) or text(one.get("text"))
            for one in objects(data.get("attachments"))
        )
    return html.unescape(_MARKUP.sub(lambda found: _plain(found, lists.users), written))


def _plain(found: "re.Match[str]", users: Mapping[str, str]) -> str:
    sign, target, label = found[1], found[2], found[3]
    match sign:
        case "@":
            return f"@{label or users.get(target, target)}"
        case "#":
            return f"#{label or target}"
        case "!":
            return label or f"@{target}"
        case _:
            return f"{label} ({target})" if label and label != target else target
