"""Where the chats of imports are, by the names that the lines give them; made when new.

Only chats that imports made are found here, so no import writes into what somebody else created
under the same name.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from applications.errors import ApplicationNotFound
from applications.models import Application, ApplicationKey
from applications.services import create_application
from chats.records import CHATS
from conversations.digests import digest_of
from conversations.models import ImportedApplication, ImportedChat
from conversations.parsing import ChatName
from ingest.database_numbers import number_and_insert

REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Target:
    """A chat by its natural key."""

    application_token: str
    chat_number: int


@dataclass(frozen=True)
class Found:
    """The chat of every name, and which of the names had none before."""

    targets: Mapping[ChatName, Target]
    new: Collection[ChatName]


class Targets:
    """Finds chats, and remembers those found last."""

    def __init__(self) -> None:
        self._remembered: dict[ChatName, Target] = {}

    def find(self, names: Iterable[ChatName]) -> Found:
        """The chats of these names, made where missing, within the caller's transaction.

        Raises IntegrityError when a rival makes one of the applications at the same time.
        """
        wanted = dict.fromkeys(names)
        targets = {name: self._remembered[name] for name in wanted if name in self._remembered}
        targets |= _known([name for name in wanted if name not in targets])
        new: list[ChatName] = []
        for token, missing in _by_token(name for name in wanted if name not in targets):
            # Whoever makes chats of an application holds its lock, so the second look is the last.
            list(Application.objects.select_for_update().filter(token=token))
            targets |= _known(missing)
            unmade = [name for name in missing if name not in targets]
            targets |= _make(token, unmade)
            new += unmade
        return Found(targets, new)

    def remember(self, found: Found) -> None:
        """Keep what was found, once the transaction that found it has succeeded."""
        for name, target in found.targets.items():
            self._remembered.pop(name, None)
            self._remembered[name] = target
        while len(self._remembered) > REMEMBERED:
            del self._remembered[next(iter(self._remembered))]


def _known(names: Iterable[ChatName]) -> dict[ChatName, Target]:
    by_key = {name.key: name for name in names}
    rows = ImportedChat.objects.filter(key__in=by_key)
    return {by_key[row.key]: Target(row.application_token, row.chat_number) for row in rows}


def _by_token(names: Iterable[ChatName]) -> Iterator[tuple[str, list[ChatName]]]:
    """The names by application, in the order in which applications are locked."""
    by_application: defaultdict[str, list[ChatName]] = defaultdict(list)
    for name in names:
        by_application[name.application].append(name)
    tokens = _tokens(by_application)
    for application in sorted(by_application, key=tokens.__getitem__):
        yield tokens[application], by_application[application]


def _make(token: str, names: Sequence[ChatName]) -> dict[ChatName, Target]:
    chats = number_and_insert([CHATS.new(ApplicationKey(token), name=name.chat) for name in names])
    made: dict[ChatName, Target] = {}
    for name, chat in zip(names, chats, strict=True):
        if isinstance(chat, Exception):
            raise ApplicationNotFound
        made[name] = Target(token, chat.number)
    ImportedChat.objects.bulk_create(
        ImportedChat(
            key=name.key,
            name=name.chat,
            application_token=target.application_token,
            chat_number=target.chat_number,
        )
        for name, target in made.items()
    )
    return made


def _tokens(names: Collection[str]) -> dict[str, str]:
    """The tokens of these applications, made where missing."""
    by_key = {digest_of(name): name for name in names}
    rows = ImportedApplication.objects.filter(key__in=by_key)
    tokens = {by_key[row.key]: row.application_token for row in rows}
    # In one order, or two imports that make the same applications would wait in a circle.
    for key, name in sorted(by_key.items()):
        if name not in tokens:
            tokens[name] = create_application(name=name).token
            ImportedApplication.objects.create(key=key, name=name, application_token=tokens[name])
    return tokens
