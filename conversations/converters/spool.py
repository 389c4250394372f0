"""Sorts and numbers chats and messages on disk, and writes them as lines of an export.

Chats are numbered in the order in which they come, messages by their time within the chat. A
temporary SQLite database holds them, so memory is bounded whatever the order and size of an export.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from conversations.converters.items import (
    Fate,
    Fates,
    ForeignChat,
    ForeignMessage,
    Item,
    Json,
    without_blanks,
)
from conversations.errors import SpoolFailed
from conversations.export_format import ApplicationLine, ChatLine, History, MessageLine
from infra.versions import FIRST_VERSION

_SCHEMA = """
    PRAGMA journal_mode = OFF;
    PRAGMA synchronous = OFF;
    CREATE TABLE chats (
        number INTEGER PRIMARY KEY, key TEXT UNIQUE, name TEXT, created_at TEXT, metadata TEXT
    );
    CREATE TABLE messages (
        position INTEGER PRIMARY KEY, chat TEXT, key TEXT, at TEXT, thread TEXT, content TEXT,
        UNIQUE (chat, key)
    );
"""
_NUMBER = """
    CREATE TABLE numbers AS
        SELECT position, ROW_NUMBER() OVER (PARTITION BY chat ORDER BY at, position) AS number
        FROM messages;
    CREATE UNIQUE INDEX numbers_by_position ON numbers (position);
    CREATE INDEX messages_in_order ON messages (chat, at, position);
"""
_MESSAGES = """
    SELECT number, at, thread, content, (
        SELECT number FROM messages AS root JOIN numbers USING (position)
        WHERE root.chat = messages.chat AND root.key = messages.thread
    )
    FROM messages JOIN numbers USING (position) WHERE chat = ? ORDER BY at, position
"""


class Spool:
    """Chats and messages on their way from one format to the other."""

    def __init__(self, connection: sqlite3.Connection, fates: Fates) -> None:
        self._connection = connection
        self._fates = fates
        connection.executescript(_SCHEMA)
        connection.execute("BEGIN")

    def add(self, item: Item) -> None:
        """Keep it. A chat that comes a second time keeps its first description."""
        if isinstance(item, ForeignChat):
            self._add_chat(item)
        elif item.erased_at:
            self._fates.add(Fate.ERASED)
            self._add_message(item, item.key, "", {})
        else:
            self._add_parts(item)

    def lines(self, name: str) -> Iterator[str]:
        """The lines of the export of an application with this name."""
        self._connection.executescript(_NUMBER)
        [chats] = self._connection.execute("SELECT COUNT(*) FROM chats").fetchone()
        yield ApplicationLine(name, chats, History()).as_line()
        for number, key, chat_name, created_at, metadata in self._connection.execute(
            "SELECT number, key, name, created_at, metadata FROM chats ORDER BY number"
        ):
            [count, first] = self._connection.execute(
                "SELECT COUNT(*), MIN(at) FROM messages WHERE chat = ?", (key,)
            ).fetchone()
            at = created_at or first
            yield ChatLine(
                chat_number=number,
                values={"name": chat_name, "metadata": self._fates.metadata(json.loads(metadata))},
                messages_count=count,
                purged_through=0,
                history=History(_time(at)),
            ).as_line()
            yield from self._message_lines(number, key)

    def _add_chat(self, chat: ForeignChat) -> None:
        created_at = chat.created_at and _text(chat.created_at)
        self._connection.execute(
            "INSERT OR IGNORE INTO chats (key, name, created_at, metadata) VALUES (?, ?, ?, ?)",
            (
                self._fates.clean(chat.key),
                self._fates.name(chat.name, chat.key),
                created_at,
                self._json(chat.metadata),
            ),
        )

    def _add_parts(self, message: ForeignMessage) -> None:
        files = [{"name": file.name, "url": file.url} for file in message.files]
        body = message.body
        if not body.strip() and files:
            body = "\n".join(file.name or file.url for file in message.files)
            self._fates.add(Fate.FILES_AS_BODY)
        parts = self._fates.parts(body)
        if not parts:
            self._fates.add(Fate.EMPTY)
        for place, part in enumerate(parts, start=1):
            about: dict[str, object] = dict(message.metadata)
            if len(parts) > 1:
                about |= {"part": place, "parts": len(parts)}
            if files and place == 1:
                about["files"] = files
            key = message.key if place == 1 else f"{message.key}\n{place}"
            self._add_message(message, key, part, about)

    def _add_message(self, message: ForeignMessage, key: str, body: str, about: Json) -> None:
        chat = self._fates.clean(message.chat)
        thread = message.thread and self._fates.clean(message.thread)
        content = {
            "body": body,
            "sender": message.sender and self._fates.name(message.sender, "?"),
            "metadata": about,
            "edited_at": message.edited_at and _text(message.edited_at),
            "erased_at": message.erased_at and _text(message.erased_at),
        }
        added = self._connection.execute(
            "INSERT OR IGNORE INTO messages (chat, key, at, thread, content)"
            " VALUES (?, ?, ?, ?, ?)",
            (chat, self._fates.clean(key), _text(message.at), thread, self._json(content)),
        )
        if not added.rowcount:
            self._fates.add(Fate.REPEATED)
        if self._connection.execute(
            "INSERT OR IGNORE INTO chats (key, name, metadata) VALUES (?, ?, '{}')",
            (chat, self._fates.name(chat, "?")),
        ).rowcount:
            self._fates.add(Fate.UNKNOWN_CHAT)

    def _message_lines(self, chat_number: int, chat: str) -> Iterator[str]:
        for number, at, thread, content, root in self._connection.execute(_MESSAGES, (chat,)):
            message = json.loads(content)
            if thread and not root:
                self._fates.add(Fate.NO_ROOT)
            reply = without_blanks(reply_to=root, reply_to_id=None if root else thread)
            edited_at = message["edited_at"]
            erased_at = message["erased_at"]
            yield MessageLine(
                chat_number=chat_number,
                message_number=number,
                values={
                    "body": message["body"],
                    "sender": message["sender"],
                    "metadata": self._fates.metadata({**reply, **message["metadata"]}),
                },
                erased_at=_time(erased_at),
                history=History(
                    _time(at),
                    _time(erased_at or edited_at or at),
                    FIRST_VERSION + bool(erased_at or edited_at),
                ),
            ).as_line()

    def _json(self, value: Json) -> str:
        return json.dumps(self._fates.clean_json(value))


@contextmanager
def open_spool(fates: Fates) -> Iterator[Spool]:
    """A spool in a temporary folder."""
    with TemporaryDirectory(prefix="conversion-") as folder:
        path = Path(folder) / "spool.sqlite3"
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            yield Spool(connection, fates)


def convert(items: Iterable[Item], name: str, fates: Fates) -> Iterator[str]:
    """The lines of an export with these chats and messages. Raises SpoolFailed."""
    try:
        with open_spool(fates) as spool:
            for item in items:
                spool.add(item)
            yield from spool.lines(fates.name(name, "?"))
    except sqlite3.Error as error:
        raise SpoolFailed(
            f"The temporary database in {gettempdir()} failed: {error}. The variable TMPDIR "
            "selects another folder."
        ) from error


def _text(at: datetime) -> str:
    """A time as a text that sorts like it."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
