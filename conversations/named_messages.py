"""Stores messages of the old format, whose lines name an application and a chat.

Messages get the next numbers of their chats, in the order of the lines.
"""

from collections import Counter
from collections.abc import Sequence

from conversations.chat_resolver import ChatResolver, ResolvedChats
from conversations.import_lines import Entry, NamedMessage, Rejection
from conversations.shares import add_to_share
from ingest.database_numbers import number_and_insert
from messages_app.records import MESSAGES


class NamedMessages:
    """Stores the messages of one run."""

    def __init__(self) -> None:
        self._resolver = ChatResolver()
        self._resolved = ResolvedChats({}, ())

    def write(self, entries: Sequence[Entry], import_id: int) -> Sequence[Rejection]:
        """Store these messages in the caller's transaction; none is rejected.

        Raises NotFound, and IntegrityError if another import creates the same application.
        """
        messages = [one.content for one in entries if isinstance(one.content, NamedMessage)]
        chats = self._resolver.resolve(message.chat for message in messages)
        rows = [MESSAGES.new(chats.keys[message.chat], body=message.body) for message in messages]
        for outcome in number_and_insert(rows):
            if isinstance(outcome, Exception):
                raise outcome
        _update_shares(messages, chats, import_id)
        self._resolved = chats
        return ()

    def committed(self) -> None:
        """Note that the transaction of the last `write` was committed."""
        self._resolver.remember(self._resolved)


def _update_shares(messages: Sequence[NamedMessage], chats: ResolvedChats, import_id: int) -> None:
    counts = Counter(chats.keys[message.chat].application_token for message in messages)
    new_chats = Counter(chats.keys[name].application_token for name in chats.new)
    names = {key.application_token: name.application for name, key in chats.keys.items()}
    for token, count in counts.items():
        add_to_share(import_id, token, names[token], chats=new_chats[token], messages=count)
