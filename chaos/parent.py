"""Who numbers, and what it numbers: an application its chats, a chat its messages."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

APPLICATION = 0


class Parent(NamedTuple):
    """An application, whose `number` is 0, or one of its chats."""

    token: str
    number: int = APPLICATION

    @property
    def children(self) -> str:
        """The path of what it numbers."""
        chats = f"/applications/{self.token}/chats"
        return f"{chats}/{self.number}/messages" if self.number else chats

    @property
    def field(self) -> str:
        """Which field of its children holds their text."""
        return "body" if self.number else "name"

    def child(self, number: int) -> Self:
        """The chat of this number, of an application."""
        return type(self)(self.token, number)


class Row(NamedTuple):
    """A chat or a message as it is stored or shown."""

    parent: Parent
    number: int
    text: str


def shown_row(document: Mapping[str, Any]) -> Row:
    """The row of a chat or a message in an answer."""
    token, chat = document["application_token"], document["chat_number"]
    if "message_number" in document:
        return Row(Parent(token, chat), document["message_number"], document["body"])
    return Row(Parent(token), chat, document["name"])
