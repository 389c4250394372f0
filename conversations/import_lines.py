"""The lines of an import: split from a stream in bounded memory, and parsed to messages.

A line knows its number and a digest of all its bytes. The last line may lack its newline: the
program that writes the file may not be done with it.

A byte order mark at the start of a line is not part of its content: a file may begin with one, and
so does each part of joined files. The digest includes the mark, as it includes all bytes, so that
imports begun by versions that did not remove marks are still recognized.

Names and bodies follow the rules of the API (ingest.text_rules), and no others.
"""

from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256

import orjson

from conversations.errors import InvalidLine
from conversations.models import digest_of
from infra.errors import Invalid
from ingest.text_rules import clean_body, clean_name, field

MAX_LINE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its newline; only the beginning of a line that is too long."""

    number: int
    content: bytes
    digest: bytes
    is_too_long: bool = False
    has_newline: bool = True

    @property
    def is_empty(self) -> bool:
        """Whether the line has nothing but white space."""
        return not self.is_too_long and not self.content.strip()


@dataclass(frozen=True, slots=True)
class ChatName:
    """A chat, by the names in a line."""

    application: str
    chat: str

    @property
    def key(self) -> str:
        """The digest under which the chat is stored."""
        return digest_of(self.application, self.chat)


@dataclass(frozen=True, slots=True)
class ImportedMessage:
    """The message of one line."""

    chat: ChatName
    body: str


class LinesDigest:
    """The digest of a sequence of lines."""

    def __init__(self) -> None:
        self._digest = sha256()

    def add(self, line: Line) -> None:
        """Add the next line."""
        self._digest.update(line.digest)

    def hex(self) -> str:
        """The digest so far, as it is stored."""
        return self._digest.hexdigest()


def split_lines(pieces: Iterable[bytes]) -> Iterator[Line]:
    """The lines, numbered from 1. If `pieces` raises, an incomplete last line is lost."""
    line = _LineBuilder(1)
    for piece in pieces:
        *ended, rest = piece.split(b"\n")
        for part in ended:
            line.add(part)
            yield line.build()
            line = _LineBuilder(line.number + 1)
        line.add(rest)
    if line.size:
        yield line.build(has_newline=False)


def parse(line: Line) -> ImportedMessage:
    """The message of this line. Raises InvalidLine."""
    if line.is_too_long:
        raise InvalidLine(f"is longer than {MAX_LINE_BYTES:,} bytes")
    data = _parse_json(line.content)
    if not isinstance(data, dict):
        raise InvalidLine("is not a JSON object")
    try:
        chat = ChatName(
            application=clean_name(field(data, "application"), "application"),
            chat=clean_name(field(data, "chat"), "chat"),
        )
        return ImportedMessage(chat, clean_body(field(data, "body")))
    except Invalid as error:
        raise InvalidLine(error.detail) from None


def _parse_json(content: bytes) -> object:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise InvalidLine(_json_problem(content, error)) from None


def _json_problem(content: bytes, error: orjson.JSONDecodeError) -> str:
    try:
        content.decode()
    except UnicodeDecodeError as undecodable:
        return f"is not UTF-8 at byte {undecodable.start + 1}"
    return f"is not valid JSON: {error}"


class _LineBuilder:
    """Collects the parts of one line."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.size = 0
        self._content = b""
        self._digest = sha256()

    def add(self, part: bytes) -> None:
        """Add the next part; its bytes are kept only up to the limit."""
        if self.size <= MAX_LINE_BYTES + len(BOM_UTF8):
            self._content += part
        self.size += len(part)
        self._digest.update(part)

    def build(self, *, has_newline: bool = True) -> Line:
        """The line so far."""
        content = self._content.removeprefix(BOM_UTF8)
        mark = len(self._content) - len(content)
        return Line(
            number=self.number,
            content=content[:MAX_LINE_BYTES],
            digest=self._digest.digest(),
            is_too_long=self.size - mark > MAX_LINE_BYTES,
            has_newline=has_newline,
        )
