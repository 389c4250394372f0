"""Events as the API shows them: each with its item as it is now, not as it was then.

So an erased message is a tombstone in each of its events, and a purged one is null.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from applications.models import Application
from applications.views import application_json
from chats.records import CHATS
from events.log import APPLICATION, CHAT, MESSAGE
from events.pages import Entry
from infra.natural_keys import in_pieces
from ingest.records import Key, RecordType, timestamp
from messages_app.records import MESSAGES

_RECORD_TYPES: Mapping[str, RecordType] = {CHAT: CHATS, MESSAGE: MESSAGES}


def entries_json(application: Application, entries: Sequence[Entry]) -> list[dict[str, object]]:
    """The entries of one application, with one read or few of each table."""
    items: dict[Key, object] = {_key(one): None for one in entries}
    items[application.key] = application_json(application)
    for item, record_type in _RECORD_TYPES.items():
        keys = {_key(one) for one in entries if one.event.item == item}
        items.update(_read(record_type, keys))
    return [_as_json(one, items[_key(one)]) for one in entries]


def _key(entry: Entry) -> Key:
    event = entry.event
    key: Key = (event.application_token,)
    if event.item == APPLICATION or event.chat_number is None:
        return key
    key = (*key, event.chat_number)
    return (*key, entry.message_number) if event.item == MESSAGE else key


def _read(record_type: RecordType, keys: Iterable[Key]) -> dict[Key, object]:
    """The stored rows of these keys as JSON."""
    rows: Any = record_type.model._default_manager
    return {
        record_type.key_of(row): record_type.as_json(record_type.show(row))
        for wanted in in_pieces(record_type.key_fields, keys)
        for row in rows.filter(wanted)
    }


def _as_json(entry: Entry, item: object) -> dict[str, object]:
    event = entry.event
    of_chat = {} if event.chat_number is None else {"chat_number": event.chat_number}
    return {
        "id": str(entry.position),
        "event_number": event.event_number,
        "type": event.type,
        "created_at": timestamp(event.created_at),
        **of_chat,
        event.item: item,
    }
