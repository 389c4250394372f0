"""The lines of an import: split from a stream in bounded memory, parsed, and batched.

A line knows its number and a digest of all its bytes. The last line may lack its newline: the
program that writes the file may not be done with it. A byte order mark at the start of a line is
not part of its content, because each part of joined files may begin with one; the digest includes
it.

There are two formats: that of exports (conversations.export_format), and the old one, whose lines
name the application and the chat of a message. The first line tells which one an input has. Names
and bodies follow the rules of the API (ingest.fields), and no others.

The progress of an import goes from batch to batch (conversations.import_run). A batch records
exactly which lines it covers, and their digest. An invalid or empty last line without a newline is
reported but not covered: it may be incomplete.
"""

from codecs import BOM_UTF8
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

import orjson

from conversations.errors import InvalidLine, SourceTruncated
from conversations.export_format import ExportLine, MessageLine, has_type, read_line
from conversations.models import digest_of
from infra.errors import Invalid
from ingest.fields import clean_body, clean_name, required_value

if TYPE_CHECKING:
    from hashlib import _Hash

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
class NamedMessage:
    """A message of the old format, which names its chat."""

    chat: ChatName
    body: str


Content = NamedMessage | ExportLine


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


def is_export(first: Line) -> bool:
    """Whether an input that begins with this line has the format of exports."""
    try:
        return has_type(_parse_json(first))
    except InvalidLine:
        return False


def parse_export_line(line: Line) -> ExportLine:
    """The application, chat or message of this line. Raises InvalidLine."""
    data = _parse_object(line)
    if not has_type(data):
        raise InvalidLine(
            "has no type, but the first line of this input has one: import lines of the old format "
            "as an input of their own"
        )
    try:
        return read_line(data)
    except Invalid as error:
        raise InvalidLine(error.detail) from None


def parse_named_message(line: Line) -> NamedMessage:
    """The message of this line of the old format. Raises InvalidLine."""
    data = _parse_object(line)
    if has_type(data):
        raise InvalidLine(
            "has a type, but the first line of this input has none: an export begins with the line "
            "of its application"
        )
    try:
        chat = ChatName(
            application=clean_name(required_value(data, "application"), "application"),
            chat=clean_name(required_value(data, "chat"), "chat"),
        )
        return NamedMessage(chat, clean_body(required_value(data, "body")))
    except Invalid as error:
        raise InvalidLine(error.detail) from None


def _parse_object(line: Line) -> dict[str, object]:
    data = _parse_json(line)
    if not isinstance(data, dict):
        raise InvalidLine("is not a JSON object")
    return data


def _parse_json(line: Line) -> object:
    if line.is_too_long:
        raise InvalidLine(f"is longer than {MAX_LINE_BYTES:,} bytes")
    try:
        return orjson.loads(line.content)
    except orjson.JSONDecodeError as error:
        raise InvalidLine(_json_problem(line.content, error)) from None


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


MAX_LINES = 1000
MAX_BYTES = 4 * 1024 * 1024
#: Bytes that are kept of a rejected line.
KEPT_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Rejection:
    """A line that cannot be imported; `raw` is its beginning."""

    line_number: int
    reason: str
    raw: bytes


def rejection(line: Line, reason: str) -> Rejection:
    """The rejection of this line."""
    return Rejection(line.number, reason, line.content[:KEPT_BYTES])


@dataclass(frozen=True, slots=True)
class Entry:
    """A line and its content."""

    line: Line
    content: Content


@dataclass
class Batch:
    """The lines after line `before`, up to line `done`; `digest` covers all lines up to `done`.

    An earlier run may have begun the batch: then it ends exactly with line `until`.
    """

    parse: Callable[[Line], Content]
    before: int
    done: int
    digest: str
    until: int = 0
    entries: list[Entry] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    empty: int = 0
    size: int = 0

    @property
    def is_full(self) -> bool:
        """Whether the batch should be stored before further lines are added."""
        if self.until > self.before:
            return self.done == self.until
        return self.done - self.before >= MAX_LINES or self.size >= MAX_BYTES

    @property
    def has_content(self) -> bool:
        """Whether the batch covers or reports any line."""
        return self.done > self.before or bool(self.rejected)

    @property
    def is_cut_short(self) -> bool:
        """Whether lines are missing that it had when it was begun."""
        return self.done < self.until

    @property
    def lines(self) -> int:
        """The number of lines that it covers or reports."""
        return len(self.entries) + len(self.rejected) + self.empty

    @property
    def messages(self) -> int:
        """The number of its messages."""
        kinds = (NamedMessage, MessageLine)
        return sum(isinstance(entry.content, kinds) for entry in self.entries)

    def add(self, line: Line, digest: "_Hash") -> None:
        """Add the next line."""
        has_entry = self._add_content(line)
        if has_entry or line.has_newline:
            digest.update(line.digest)
            self.done = line.number
            self.digest = digest.hexdigest()

    def reject(self, refused: Collection[Rejection]) -> None:
        """Turn entries that could not be stored into rejections."""
        numbers = {one.line_number for one in refused}
        self.entries = [one for one in self.entries if one.line.number not in numbers]
        self.rejected = sorted([*self.rejected, *refused], key=lambda one: one.line_number)

    def _add_content(self, line: Line) -> bool:
        if line.is_empty:
            self.empty += line.has_newline
            return False
        try:
            self.entries.append(Entry(line, self.parse(line)))
        except InvalidLine as invalid:
            rejected = rejection(line, invalid.detail)
            self.rejected.append(rejected)
            self.size += len(rejected.raw)
            return False
        self.size += len(line.content)
        return True


def batches(
    lines: Iterable[Line],
    done: int,
    digest: "_Hash",
    parse: Callable[[Line], Content],
    until: int = 0,
) -> Iterator[Batch]:
    """The lines after line `done`, in batches; `digest` covers the lines up to there.

    `until` is the last line of the first batch if an earlier run began it. It is cut short where
    the input ends before.

    If the input is truncated, the lines before that come first. Raises SourceTruncated then.
    """
    batch = Batch(parse, done, done, digest.hexdigest(), until)
    try:
        for line in lines:
            batch.add(line, digest)
            if batch.is_full:
                yield batch
                batch = Batch(parse, batch.done, batch.done, batch.digest)
    except SourceTruncated:
        if batch.has_content and not batch.is_cut_short:
            yield batch
        raise
    if batch.has_content or batch.is_cut_short:
        yield batch
