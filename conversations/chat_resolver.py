"""Resolves the names in lines to chats of imports; creates applications and chats that are new.

Only applications and chats that imports created are found here, so no import writes into a chat
that was created otherwise under the same name.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from applications.models import Application, ApplicationKey, ApplicationNotFound
from applications.services import create_application
from chats.models import ChatKey
from chats.records import CHATS
from conversations.import_lines import ChatName
from conversations.models import ImportedApplication, ImportedChat, digest_of
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

    def resolve(self, names: Iterable[ChatName]) -> ResolvedChats:
        """The chats of these names, created where missing, in the caller's transaction.

        Raises IntegrityError if another import creates one of the applications at the same time.
        """
        wanted = dict.fromkeys(names)
        keys = {name: self._cache[name] for name in wanted if name in self._cache}
        keys |= _stored_keys([name for name in wanted if name not in keys])
        new: list[ChatName] = []
        for token, missing in _by_token(name for name in wanted if name not in keys):
            # Creating chats requires the lock of the application, so this second look is final.
            list(Application.objects.select_for_update().filter(token=token))
            keys |= _stored_keys(missing)
            unknown = [name for name in missing if name not in keys]
            keys |= _create_chats(token, unknown)
            new += unknown
        return ResolvedChats(keys, new)

    def remember(self, chats: ResolvedChats) -> None:
        """Cache these chats, after the transaction that resolved them was committed."""
        for name, key in chats.keys.items():
            self._cache.pop(name, None)
            self._cache[name] = key
        while len(self._cache) > CACHE_SIZE:
            del self._cache[next(iter(self._cache))]


def _stored_keys(names: Iterable[ChatName]) -> dict[ChatName, ChatKey]:
    by_digest = {name.key: name for name in names}
    rows = ImportedChat.objects.filter(key__in=by_digest)
    return {by_digest[row.key]: ChatKey(row.application_token, row.chat_number) for row in rows}


def _by_token(names: Iterable[ChatName]) -> Iterator[tuple[str, list[ChatName]]]:
    """The names by application, in the order in which applications are locked."""
    by_application: defaultdict[str, list[ChatName]] = defaultdict(list)
    for name in names:
        by_application[name.application].append(name)
    tokens = _tokens(by_application)
    for application in sorted(by_application, key=tokens.__getitem__):
        yield tokens[application], by_application[application]


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


def _tokens(names: Collection[str]) -> dict[str, str]:
    """The tokens of the applications with these names, created where missing."""
    by_digest = {digest_of(name): name for name in names}
    rows = ImportedApplication.objects.filter(key__in=by_digest)
    tokens = {by_digest[row.key]: row.application_token for row in rows}
    # In a fixed order, so that two imports that create the same applications cannot deadlock.
    for digest, name in sorted(by_digest.items()):
        if name not in tokens:
            tokens[name] = create_application(name=name).token
            ImportedApplication.objects.create(
                key=digest, name=name, application_token=tokens[name]
            )
    return tokens
