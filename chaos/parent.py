"""Parents and their numbered rows: chats of an application, messages of a chat."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

APPLICATION = 0


class Parent(NamedTuple):
    """An application, whose `number` is 0, or one of its chats."""

    token: str
    number: int = APPLICATION

    @property
    def children(self) -> str:
        """The API path of its chats or messages."""
        chats = f"/applications/{self.token}/chats"
        return f"{chats}/{self.number}/messages" if self.number else chats

    @property
    def field(self) -> str:
        """The field that holds its children's text."""
        return "body" if self.number else "name"

    def child(self, number: int) -> Self:
        """The application's chat with this number."""
        return type(self)(self.token, number)


class Row(NamedTuple):
    """A stored or returned chat or message."""

    parent: Parent
    number: int
    text: str


def shown_row(document: Mapping[str, Any]) -> Row:
    """The row for a chat or message in a response."""
    token, chat = document["application_token"], document["chat_number"]
    if "message_number" in document:
        return Row(Parent(token, chat), document["message_number"], document["body"])
    return Row(Parent(token), chat, document["name"])
