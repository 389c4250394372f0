"""The product as it runs: a chat to write to, and what its table holds of it.

A measurement makes an application of its own, called "bench", and leaves it there: the product
deletes nothing.
"""

from dataclasses import dataclass

from bench.client import Client
from bench.database import Database, Statements
from bench.waiting import wait_until

API = "/api/v1"


@dataclass(frozen=True)
class Chat:
    """A chat by its natural key."""

    token: str
    number: int

    @property
    def messages_path(self) -> str:
        """Where messages are posted."""
        return f"{API}/applications/{self.token}/chats/{self.number}/messages"


@dataclass(frozen=True)
class Stored:
    """What the table holds of a chat."""

    rows: int
    distinct: int
    lowest: int
    highest: int

    @property
    def has_every_number_once(self) -> bool:
        """Numbers 1 to the highest, each exactly once."""
        return self.rows == self.distinct == self.highest and self.lowest == min(1, self.rows)


def new_chat(base_url: str) -> Chat:
    """An empty chat of an application of its own."""
    with Client(base_url) as client:
        application = client.create(f"{API}/applications", name="bench")
        token = str(application["token"])
        chat = client.create(f"{API}/applications/{token}/chats", name="bench")
    return Chat(token, int(chat["chat_number"]))


def count_messages(database: Statements, chat: Chat) -> int:
    """How many rows it has."""
    return database.number(
        "SELECT COUNT(*) FROM messages WHERE application_token = %s AND chat_number = %s",
        chat.token,
        chat.number,
    )


def count_chats(database: Statements, token: str) -> int:
    """How many chats the application has."""
    return database.number("SELECT COUNT(*) FROM chats WHERE application_token = %s", token)


def await_indexed(database: Statements, seconds: float) -> None:
    """Return when all that is stored is indexed. Raises BenchError after so long."""
    wait_until(
        lambda: not database.number("SELECT COUNT(*) FROM index_backlog"), seconds, "all is indexed"
    )


def stored(database: Statements, chat: Chat) -> Stored:
    """The numbers in the table."""
    [row] = database.execute(
        "SELECT COUNT(*), COUNT(DISTINCT message_number), COALESCE(MIN(message_number), 0),"
        " COALESCE(MAX(message_number), 0) FROM messages"
        " WHERE application_token = %s AND chat_number = %s",
        chat.token,
        chat.number,
    )
    return Stored(*map(int, row))


def bodies_by_number(database: Statements, chat: Chat) -> dict[int, str]:
    """Every message of the chat."""
    rows = database.execute(
        "SELECT message_number, body FROM messages"
        " WHERE application_token = %s AND chat_number = %s",
        chat.token,
        chat.number,
    )
    return {int(number): str(body) for number, body in rows}


def highest_message(database: Statements, chat: Chat) -> int:
    """The highest number stored, 0 in an empty chat."""
    return database.number(
        "SELECT COALESCE(MAX(message_number), 0) FROM messages"
        " WHERE application_token = %s AND chat_number = %s",
        chat.token,
        chat.number,
    )


def raise_ceiling(database: Database, chat: Chat, number: int) -> None:
    """Keep true that no number above the chat's ceiling was ever given."""
    database.execute(
        "UPDATE chats SET number_ceiling = GREATEST(number_ceiling, %s)"
        " WHERE application_token = %s AND chat_number = %s",
        number,
        chat.token,
        chat.number,
    )
