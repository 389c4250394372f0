"""A line of a conversation: what was said, and in which chat of which application.

The rules of names and bodies are those of the API (ingest.text_rules); nothing else decides.
"""

from dataclasses import dataclass

import orjson

from conversations.digests import digest_of
from conversations.lines import MAX_LINE_BYTES
from infra.errors import DomainError, Invalid
from ingest.text_rules import clean_body, clean_name, field


class BadLine(DomainError):
    """A line that cannot be imported; the detail says why."""


@dataclass(frozen=True, slots=True)
class ChatName:
    """A chat as an import names it."""

    application: str
    chat: str

    @property
    def key(self) -> str:
        """The digest it is found by."""
        return digest_of(self.application, self.chat)


@dataclass(frozen=True, slots=True)
class Said:
    """One message of a conversation."""

    where: ChatName
    body: str


def parse(content: bytes, *, is_too_long: bool = False) -> Said:
    """The message on this line. Raises BadLine."""
    if is_too_long:
        raise BadLine(f"is longer than {MAX_LINE_BYTES:,} bytes")
    data = _json(content)
    if not isinstance(data, dict):
        raise BadLine("is no JSON object")
    try:
        where = ChatName(
            application=clean_name(field(data, "application"), "application"),
            chat=clean_name(field(data, "chat"), "chat"),
        )
        return Said(where, clean_body(field(data, "body")))
    except Invalid as error:
        raise BadLine(error.detail) from None


def _json(content: bytes) -> object:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise BadLine(_why_no_json(content, error)) from None


def _why_no_json(content: bytes, error: orjson.JSONDecodeError) -> str:
    try:
        content.decode()
    except UnicodeDecodeError as undecodable:
        return f"is not UTF-8 at byte {undecodable.start + 1}"
    return f"is no JSON: {error}"
