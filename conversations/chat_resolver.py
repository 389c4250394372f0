"""Resolves the names of chats of one application; creates the application and chats that are new.

Only applications and chats that imports created are found here, so no import writes into a chat
that was created otherwise under the same name.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from applications.models import Application, ApplicationKey, ApplicationNotFound
from applications.services import create_application
from chats.models import ChatKey
from chats.records import CHATS
from conversations.import_lines import ChatName
from conversations.models import ImportedChat
from ingest.database_numbers import number_and_insert

#: Chats whose keys are kept in memory.
CACHE_SIZE = 10_000


@dataclass(frozen=True)
class ResolvedChats:
    """The key of the chat of each name, and the names whose chats were created."""

    keys: Mapping[ChatName, ChatKey]
    new: Collection[ChatName]


class ChatResolver:
    """Resolves names, with a cache of the most recent ones."""

    def __init__(self) -> None:
        self._cache: dict[ChatName, ChatKey] = {}

    def resolve(self, token: str, names: Iterable[ChatName]) -> ResolvedChats:
        """The chats of these names in this application, created where missing, as it is itself.

        Call it in a transaction. Raises IntegrityError if another import creates the application at
        the same time.
        """
        wanted = dict.fromkeys(names)
        keys = {name: self._cache[name] for name in wanted if name in self._cache}
        keys |= _stored_keys(token, [name for name in wanted if name not in keys])
        missing = [name for name in wanted if name not in keys]
        if not missing:
            return ResolvedChats(keys, ())
        # Creating chats requires the lock of the application, so this second look is final.
        if not list(Application.objects.select_for_update().filter(token=token)):
            create_application(name=missing[0].application, token=token)
        keys |= _stored_keys(token, missing)
        new = [name for name in missing if name not in keys]
        keys |= _create_chats(token, new)
        return ResolvedChats(keys, new)

    def remember(self, chats: ResolvedChats) -> None:
        """Cache these chats, after the transaction that resolved them was committed."""
        for name, key in chats.keys.items():
            self._cache.pop(name, None)
            self._cache[name] = key
        while len(self._cache) > CACHE_SIZE:
            del self._cache[next(iter(self._cache))]


def _stored_keys(token: str, names: Iterable[ChatName]) -> dict[ChatName, ChatKey]:
    by_digest = {name.key: name for name in names}
    rows = ImportedChat.objects.filter(application_token=token, key__in=by_digest)
    return {by_digest[row.key]: ChatKey(token, row.chat_number) for row in rows}


def _create_chats(token: str, names: Sequence[ChatName]) -> dict[ChatName, ChatKey]:
    chats = number_and_insert([CHATS.new(ApplicationKey(token), name=name.chat) for name in names])
    created: dict[ChatName, ChatKey] = {}
    for name, chat in zip(names, chats, strict=True):
        if isinstance(chat, Exception):
            raise ApplicationNotFound
        created[name] = ChatKey(token, chat.number)
    ImportedChat.objects.bulk_create(
        ImportedChat(
            key=name.key,
            name=name.chat,
            application_token=key.application_token,
            chat_number=key.chat_number,
        )
        for name, key in created.items()
    )
    return created
