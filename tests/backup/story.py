"""The responses clients got before and after a restore, compared with the stored rows."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import uuid4

from chats.models import Chat
from ingest.message_format import read_member
from ingest.redis_keys import parent_key
from messages_app.models import Message
from tests.api.client import Api
from tests.pipeline.backlog import Backlog

#: The texts of rows by number, of each parent by its path.
Rows = dict[str, dict[int, str]]
#: Longer than the first lease of a chat, so that what is lent is more than what a backup knows.
MANY = 150


@dataclass
class Story:
    """One application with at least two chats, which receives more and more messages."""

    api: Api
    backlog: Backlog
    answered: Rows = field(default_factory=lambda: defaultdict(dict))
    application: str = ""
    chats: list[str] = field(default_factory=list)

    def begin(self) -> None:
        """Create the chats, with stored and with pending messages."""
        self.application = self.api.new_application()
        self.make_chats(2)
        self.backlog.work()
        self.say(MANY)
        self.backlog.work()
        self.say(3)

    def make_chats(self, count: int) -> None:
        """Create further chats."""
        for _ in range(count):
            name = uuid4().hex
            chat = self.api.new_chat(self.application, name)
            self._learn(self.application, int(chat.rpartition("/")[2]), name)
            self.chats.append(chat)

    def say(self, count: int) -> None:
        """Create `count` more messages in each chat."""
        for chat in self.chats:
            bodies = [uuid4().hex for _ in range(count)]
            rows = self.api.post(
                f"{chat}/messages/bulk", {"messages": [{"body": b} for b in bodies]}
            )
            assert rows.status_code == 201, rows.content
            for row in rows.json()["results"]:
                self._learn(chat, row["message_number"], row["body"])

    def say_and_lose_the_last(self, count: int) -> None:
        """Leave `count` messages per chat queued, and store the `count` after them."""
        self.say(count)
        waiting = [*self.backlog.rows]
        self.say(count)
        self.backlog.work(lambda row: row not in waiting)

    def goes_on(self) -> Rows:
        """Create rows everywhere; return the responses to these creates alone."""
        before, self.answered = self.answered, defaultdict(dict)
        self.chats = [chat for chat in self.chats if self.api.get(chat).status_code == 200]
        self.say(5)
        self.make_chats(2)
        self.say(2)
        self.backlog.work()
        now, self.answered = self.answered, before
        return now

    def existing(self) -> Rows:
        """All rows that are stored, pending or queued."""
        rows: Rows = defaultdict(dict)
        for name, members in self.backlog.pending().items():
            for member in members:
                row = read_member(parent_key(name), member).row
                rows[_path(*row.parent)][row.number] = str(row.values[0])
        for row in self.backlog.rows:
            rows[_path(*row.parent)][row.number] = str(row.values[0])
        for parent, found in stored().items():
            rows[parent] |= found
        return rows

    def _learn(self, parent: str, number: int, text: str) -> None:
        assert number not in self.answered[parent], "one number was answered twice"
        self.answered[parent][number] = text


def stored() -> Rows:
    """All rows in the tables."""
    rows: Rows = defaultdict(dict)
    for token, number, name in Chat.objects.values_list("application_token", "chat_number", "name"):
        rows[_path(token)][number] = name
    fields = ("application_token", "chat_number", "message_number", "body")
    for token, chat, number, body in Message.objects.values_list(*fields):
        rows[_path(token, chat)][number] = body
    return rows


def shared(some: Mapping[str, Mapping[int, str]], others: Mapping[str, Mapping[int, str]]) -> Rows:
    """The numbers that occur in both."""
    both = {parent: {*rows} & {*others.get(parent, ())} for parent, rows in some.items()}
    return {parent: dict.fromkeys(numbers, "") for parent, numbers in both.items() if numbers}


def lacking(some: Mapping[str, Mapping[int, str]], whole: Mapping[str, Mapping[int, str]]) -> Rows:
    """The rows of `some` that are missing from `whole` or differ there."""
    less = {
        parent: {
            number: text
            for number, text in rows.items()
            if whole.get(parent, {}).get(number) != text
        }
        for parent, rows in some.items()
    }
    return {parent: rows for parent, rows in less.items() if rows}


def _path(token: str | int, chat: str | int | None = None) -> str:
    application = f"/applications/{token}"
    return application if chat is None else f"{application}/chats/{chat}"
