"""Stores messages of the old format, whose lines name an application and a chat.

Messages get the next numbers of their chats, in the order of the lines.
"""

from collections import defaultdict
from collections.abc import Sequence

from conversations.application_tokens import application_tokens
from conversations.chat_resolver import ChatResolver, ResolvedChats
from conversations.import_lines import Entry, NamedMessage
from conversations.models import digest_of
from conversations.shares import Added, Plan, Portion
from ingest.database_numbers import number_and_insert
from messages_app.records import MESSAGES


class NamedMessages:
    """Stores the messages of one run."""

    def __init__(self) -> None:
        self._resolver = ChatResolver()
        self._resolved = ResolvedChats({}, ())

    def plan(self, entries: Sequence[Entry]) -> Plan:
        """The lines of each application, in the order of appearance; new ones get their tokens.

        Raises IntegrityError if another import names the same new application.
        """
        by_name: defaultdict[str, list[Entry]] = defaultdict(list)
        for entry in entries:
            if isinstance(entry.content, NamedMessage):
                by_name[entry.content.chat.application].append(entry)
        tokens = application_tokens({digest_of(name): name for name in by_name})
        return Plan([Portion(tokens[digest_of(name)], name, by_name[name]) for name in by_name])

    def write(self, token: str, entries: Sequence[Entry]) -> Added:
        """Store these messages of one application; none is refused.

        Raises NotFound, and IntegrityError if another import creates the same application.
        """
        messages = [one.content for one in entries if isinstance(one.content, NamedMessage)]
        chats = self._resolver.resolve(token, [message.chat for message in messages])
        rows = [MESSAGES.new(chats.keys[message.chat], body=message.body) for message in messages]
        for outcome in number_and_insert(rows):
            if isinstance(outcome, Exception):
                raise outcome
        self._resolved = chats
        return Added(chats=len(chats.new), messages=len(messages))

    def committed(self) -> None:
        """Note that the transaction of the last `write` was committed."""
        self._resolver.remember(self._resolved)
