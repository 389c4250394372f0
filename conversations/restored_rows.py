"""Restores the rows of an export: an application, its chats, their messages, as their lines say.

Each application line creates an application. Rows keep their numbers, times, versions and counts,
so the API shows them as before. The token is new, and there is no key yet. The token of a line is
the same whenever the import repeats the line.

Numbers are claimed like any others (ingest.database_numbers): under the lock of the parent, each
once. So clients may write into the application during the import. A line whose number may be a
client's is rejected; the client keeps its row.

The share is locked first, then the application, then its chats. All other writers lock chats before
their application. So an import may deadlock with a client that writes into one of its chats; the
database ends one of the two, and its transaction is repeated.

An old message is not a late row (ingest.late_rows): no purge has reached its chat. The next purge
removes it if it is old enough.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import inf
from typing import Any

from django.utils import timezone

from applications.models import Application, ApplicationKey
from chats.models import Chat, ChatKey
from chats.records import CHATS
from conversations.application_tokens import application_tokens
from conversations.export_format import ApplicationLine, ChatLine, InvalidApplication, MessageLine
from conversations.import_lines import Entry, Rejection, rejection
from conversations.models import Import, ImportedChat, digest_of
from conversations.shares import Added, Plan, Portion
from ingest.database_numbers import claim_numbers
from ingest.models import CountState
from ingest.records import RecordType
from ingest.row_changes import Action, RowChange, announce
from messages_app.models import Message
from messages_app.records import MESSAGES

#: Chats of imports whose keys are kept in memory.
CACHE_SIZE = 10_000


class RestoredRows:
    """Restores the rows of one run."""

    def __init__(self, import_id: int) -> None:
        self._import_id = import_id
        self._known: dict[ChatKey, None] = {}
        self._found: Collection[ChatKey] = ()

    def plan(self, entries: Sequence[Entry]) -> Plan:
        """The lines of each application, in their order; new applications get their tokens."""
        of_import = Import.objects.filter(pk=self._import_id)
        token = of_import.values_list("application_token", flat=True).get()
        tokens = self._new_tokens(entries)
        portions: list[Portion] = []
        unplaced: list[Rejection] = []
        for entry in entries:
            match entry.content:
                case ApplicationLine(name=name):
                    token = tokens[entry.line.number]
                    portions.append(Portion(token, name, [entry]))
                case InvalidApplication(reason=reason):
                    token = ""
                    unplaced.append(rejection(entry.line, reason))
                case _ if not token:
                    reason = "comes before the line of its application"
                    unplaced.append(rejection(entry.line, reason))
                case _:
                    if not portions:
                        portions.append(Portion(token, ""))
                    portions[-1].entries.append(entry)
        return Plan(portions, unplaced, token)

    def write(self, token: str, entries: Sequence[Entry]) -> Added:
        """Store these lines of one application in the caller's transaction."""
        writing = _Writing(token, self._known)
        added = writing.write(entries)
        self._found = writing.found
        return added

    def committed(self) -> None:
        """Note that the transaction of the last `write` was committed."""
        for key in self._found:
            self._known.pop(key, None)
            self._known[key] = None
        while len(self._known) > CACHE_SIZE:
            del self._known[next(iter(self._known))]

    def _new_tokens(self, entries: Iterable[Entry]) -> dict[int, str]:
        """The tokens of the applications that these lines create, by their numbers."""
        lines = {
            entry.line.number: entry.content.name
            for entry in entries
            if isinstance(entry.content, ApplicationLine)
        }
        keys = {number: _application_key(self._import_id, number) for number in lines}
        tokens = application_tokens({key: lines[number] for number, key in keys.items()})
        return {number: tokens[key] for number, key in keys.items()}


@dataclass
class _Writing:
    """What one transaction writes into the application of this token.

    `known` are chats of this import, `found` those that this transaction uses.
    """

    token: str
    known: Collection[ChatKey]
    found: set[ChatKey] = field(default_factory=set)
    refused: list[Rejection] = field(default_factory=list)
    now: datetime = field(default_factory=timezone.now)

    def write(self, entries: Sequence[Entry]) -> Added:
        """Write the application, if these lines begin with its own, then its chats and messages."""
        if not entries:
            return Added()
        if isinstance(line := entries[0].content, ApplicationLine):
            self._create_application(line)
        chats = self._write_chats(entries)
        messages = self._write_messages(entries, chats)
        return Added(len(chats), messages, self.refused)

    def _create_application(self, line: ApplicationLine) -> None:
        Application.objects.create(
            token=self.token,
            name=line.name,
            chats_count=line.chats_count,
            count_state=CountState.CHANGED,
            **line.history.columns(self.now),
        )

    def _write_chats(self, entries: Iterable[Entry]) -> dict[ChatKey, int]:
        """The keys of the new chats, each with the number of its line."""
        lines = [(one, one.content) for one in entries if isinstance(one.content, ChatLine)]
        numbers = [chat.chat_number for _, chat in lines]
        claims = claim_numbers(CHATS.parent_row(ApplicationKey(self.token)), numbers)
        created: dict[ChatKey, int] = {}
        rows: list[Chat] = []
        for (entry, chat), is_claimed in zip(lines, claims, strict=True):
            if is_claimed:
                created[ChatKey(self.token, chat.chat_number)] = entry.line.number
                rows.append(self._chat_row(chat))
            else:
                self._refuse_all([entry], _taken("chat", chat.chat_number))
        _insert(CHATS, rows)
        ImportedChat.objects.bulk_create(map(_imported_chat, rows))
        return created

    def _write_messages(self, entries: Iterable[Entry], created: Mapping[ChatKey, int]) -> int:
        """The number of messages written. A chat gets only messages that come after its line."""
        by_chat: defaultdict[ChatKey, list[Entry]] = defaultdict(list)
        for entry in entries:
            if isinstance(entry.content, MessageLine):
                by_chat[ChatKey(self.token, entry.content.chat_number)].append(entry)
        older = self._imported([key for key in by_chat if key not in created])
        rows: list[Message] = []
        # In the order in which all numbering locks parents.
        for key in sorted(by_chat):
            since = 0 if key in older else created.get(key, inf)
            early = [one for one in by_chat[key] if one.line.number < since]
            self._refuse_all(early, f"comes before the line of chat {key.chat_number}")
            rows += self._claim_messages(key, by_chat[key][len(early) :])
        self.found |= older | created.keys()
        _insert(MESSAGES, rows)
        return len(rows)

    def _imported(self, keys: Sequence[ChatKey]) -> set[ChatKey]:
        """Those of these chats that an import created; any other chat is a client's."""
        digests = {_digest_of(key): key for key in keys if key not in self.known}
        rows = ImportedChat.objects.filter(application_token=self.token, key__in=digests)
        stored = rows.values_list("key", flat=True)
        return {key for key in keys if key in self.known} | {digests[one] for one in stored}

    def _claim_messages(self, key: ChatKey, entries: Sequence[Entry]) -> Iterator[Message]:
        messages = [one.content for one in entries if isinstance(one.content, MessageLine)]
        numbers = [message.message_number for message in messages]
        claims = claim_numbers(MESSAGES.parent_row(key), numbers)
        for entry, message, is_claimed in zip(entries, messages, claims, strict=True):
            if is_claimed:
                yield self._message_row(message)
            else:
                self._refuse_all([entry], _taken("message", message.message_number))

    def _chat_row(self, chat: ChatLine) -> Chat:
        return Chat(
            application_token=self.token,
            chat_number=chat.chat_number,
            **chat.values,
            messages_count=chat.messages_count,
            purged_through=chat.purged_through,
            number_ceiling=chat.purged_through,
            count_state=CountState.CHANGED,
            **chat.history.columns(self.now),
        )

    def _message_row(self, message: MessageLine) -> Message:
        return Message(
            application_token=self.token,
            chat_number=message.chat_number,
            message_number=message.message_number,
            **message.values,
            erased_at=message.erased_at,
            **message.history.columns(self.now),
        )

    def _refuse_all(self, entries: Iterable[Entry], reason: str) -> None:
        self.refused += [rejection(entry.line, reason) for entry in entries]


def _insert(record_type: RecordType, rows: Sequence[Any]) -> None:
    """Insert rows that are complete, unlike accepted ones, which have one time and no version."""
    record_type.model._default_manager.bulk_create(rows)
    if rows:
        keys = [record_type.key_of(row) for row in rows]
        announce(RowChange(record_type.name, Action.CREATED, keys))


def _imported_chat(row: Chat) -> ImportedChat:
    return ImportedChat(
        key=_digest_of(row.key),
        name=row.name,
        application_token=row.application_token,
        chat_number=row.chat_number,
    )


def _application_key(import_id: int, line_number: int) -> str:
    """The key of a restored application. Three parts: no name of the old format has it."""
    return digest_of("", str(import_id), str(line_number))


def _digest_of(chat: ChatKey) -> str:
    """The digest of a restored chat. Three parts: no pair of names of the old format has it."""
    return digest_of("", chat.application_token, str(chat.chat_number))


def _taken(kind: str, number: int) -> str:
    return (
        f"{kind} {number}: this number, or a higher one, is given already. Numbers rise from line "
        "to line, and clients that write before the import is done take the next ones."
    )
