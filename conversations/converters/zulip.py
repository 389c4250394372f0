"""Zulip's export: realm.json with everything about users and channels, and numbered message files.

Memory holds realm.json, the list of attachments, and one file of a thousand messages. A topic
becomes metadata of its messages; a channel is one chat.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

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

_MESSAGES = re.compile(r"messages-\d+\.json")

#: Types of recipients; any other is a group of users.
_USER, _CHANNEL = 1, 2


@dataclass
class _Realm:
    """What messages refer to, by id."""

    users: dict[int, str] = field(default_factory=dict)
    bots: set[int] = field(default_factory=set)
    recipients: dict[int, Json] = field(default_factory=dict)
    chats: dict[int, ForeignChat] = field(default_factory=dict)
    members: defaultdict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    reactions: defaultdict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    files: defaultdict[int, list[File]] = field(default_factory=lambda: defaultdict(list))

    def direct_chat(self, users: set[int]) -> ForeignChat:
        """The chat of these users."""
        names = [self.users.get(one, str(one)) for one in sorted(users)]
        return ForeignChat(
            key="direct " + " ".join(map(str, sorted(users))),
            name=", ".join(names),
            metadata={"source": "zulip", "kind": "direct" if len(users) <= 2 else "group"},
        )


def read(archive: Archive, fates: Fates) -> Iterator[Item]:
    """The chats and messages of this export. Raises SourceUnreadable."""
    realm = _read_realm(archive, fates)
    yield from realm.chats.values()
    for member in archive.members():
        if member.is_at_top and _MESSAGES.fullmatch(member.path.name):
            for data in _table(member.read_json(), "zerver_message"):
                with fates.malformed_left_out():
                    yield from _items(data, realm, fates)


def _read_realm(archive: Archive, fates: Fates) -> _Realm:
    realm, is_found = _Realm(), False
    for member in archive.members():
        if not member.is_at_top:
            continue
        if member.path.name == "realm.json":
            is_found = True
            _read_tables(member.read_json(), realm, fates)
        elif member.path.name == "attachment.json":
            for one in _table(member.read_json(), "zerver_attachment"):
                with fates.malformed_left_out():
                    name, path = text(one.get("file_name")), f"uploads/{one['path_id']}"
                    for message in cast("list[int]", one["messages"]):
                        realm.files[message].append(File(name, path))
    if not is_found:
        raise SourceUnreadable(f"{archive.path} has no realm.json: it is no Zulip export.")
    return realm


def _read_tables(data: object, realm: _Realm, fates: Fates) -> None:
    for table in (
        "zerver_userprofile",
        "zerver_userprofile_mirrordummy",
        "zerver_userprofile_crossrealm",
    ):
        for user in _table(data, table):
            with fates.malformed_left_out():
                key = _integer(user["id"])
                realm.users[key] = text(user.get("full_name")) or text(user["email"])
                # Users of other realms are the bots of the system.
                if user.get("is_bot") or table.endswith("crossrealm"):
                    realm.bots.add(key)
    for one in _table(data, "zerver_recipient"):
        with fates.malformed_left_out():
            realm.recipients[_integer(one["id"])] = one
    for one in _table(data, "zerver_subscription"):
        with fates.malformed_left_out():
            realm.members[_integer(one["recipient"])].add(_integer(one["user_profile"]))
    for one in _table(data, "zerver_reaction"):
        with fates.malformed_left_out():
            realm.reactions[_integer(one["message"])][str(one["emoji_name"])] += 1
    for one in _table(data, "zerver_stream"):
        with fates.malformed_left_out():
            realm.chats[_integer(one["id"])] = _channel(one)


def _channel(stream: Json) -> ForeignChat:
    created = stream.get("date_created")
    return ForeignChat(
        key=f"channel {stream['id']}",
        name=str(stream["name"]),
        created_at=at_microseconds(_microseconds(created)) if created else None,
        metadata=without_blanks(
            source="zulip",
            id=stream["id"],
            kind="private" if stream.get("invite_only") else "channel",
            archived=stream.get("deactivated"),
            purpose=description(stream.get("description")),
        ),
    )


def _items(data: Json, realm: _Realm, fates: Fates) -> Iterator[Item]:
    key, sender = _integer(data["id"]), _integer(data["sender"])
    recipient = realm.recipients[_integer(data["recipient"])]
    of_recipient = _integer(recipient["type_id"])
    is_in_channel = recipient["type"] == _CHANNEL
    if is_in_channel:
        chat = realm.chats[of_recipient]
    elif recipient["type"] == _USER:
        chat = realm.direct_chat({sender, of_recipient})
    else:
        chat = realm.direct_chat(realm.members[_integer(recipient["id"])] or {sender})
    if not is_in_channel:
        yield chat
    if sender not in realm.users:
        fates.add(Fate.UNKNOWN_SENDER)
    edited = data.get("last_edit_time")
    yield ForeignMessage(
        chat=chat.key,
        key=str(key),
        at=at_microseconds(_microseconds(data["date_sent"])),
        sender=realm.users.get(sender, str(sender)),
        body=text(data.get("content")),
        metadata=without_blanks(
            id=key,
            user=sender,
            topic=text(data.get("subject")) if is_in_channel else None,
            bot=sender in realm.bots,
            reactions=dict(realm.reactions.get(key, {})),
        ),
        files=realm.files.get(key, ()),
        edited_at=at_microseconds(_microseconds(edited)) if edited else None,
    )


def _table(data: object, name: str) -> list[dict[str, object]]:
    return objects(data.get(name)) if isinstance(data, dict) else []


def _integer(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError("an id is no integer")
    return value


def _microseconds(value: object) -> int:
    """A time in seconds since 1970, with a fraction."""
    if not isinstance(value, int | float):
        raise TypeError("a time is no number")
    return round(value * 1_000_000)
