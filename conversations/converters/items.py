"""Chats and messages of another system, before they are numbered, and the rules that fit them.

Nothing is lost in silence: `Fates` counts everything that is changed or left out.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from infra.errors import Invalid
from ingest.fields import MAX_BODY_BYTES, MAX_NAME_CHARACTERS, clean_metadata, clean_name

Json = Mapping[str, object]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: The beginning of 2100, in microseconds.
_LATEST = 4_102_444_800_000_000
#: NUL, and halves of characters: no text here may contain them.
_IMPOSSIBLE = re.compile("[\0\ud800-\udfff]")
#: Descriptions of chats are cut to this many characters, so that metadata keep their size.
MAX_DESCRIPTION = 500


class Fate(StrEnum):
    """What became of things that are not simply converted."""

    ERASED = "deleted messages are tombstones"
    SPLIT = "messages were too long and are split in parts"
    FILES_AS_BODY = "messages without text have the names of their files as body"
    EMPTY = "messages with neither text nor files were left out"
    EVENTS = "records of edits and deletions were left out"
    REPEATED = "messages that the export has twice were left out"
    MALFORMED = "records that could not be understood were left out"
    UNKNOWN_SENDER = "messages have the id of their sender, whose name is missing"
    UNKNOWN_CHAT = "chats are named by their id, because the export does not describe them"
    NO_ROOT = "replies belong to a message that is missing"
    METADATA = "files or other metadata of messages or chats were left out for lack of space"
    CHARACTERS = "texts had NUL or half characters, which are replaced by U+FFFD"


@dataclass
class Fates:
    """How often each fate occurred."""

    counts: Counter[Fate] = field(default_factory=Counter)

    def add(self, fate: Fate, count: int = 1) -> None:
        """Count it."""
        self.counts[fate] += count

    @contextmanager
    def malformed_left_out(self) -> Iterator[None]:
        """Count and pass over a record that has not the expected shape."""
        try:
            yield
        except (AttributeError, KeyError, LookupError, OverflowError, TypeError, ValueError):
            self.add(Fate.MALFORMED)

    def clean(self, text: str) -> str:
        """The text without characters that cannot be stored."""
        cleaned = _IMPOSSIBLE.sub("\ufffd", text)
        if cleaned != text:
            self.add(Fate.CHARACTERS)
        return cleaned

    def clean_json(self, value: object) -> object:
        """The same for all texts in a JSON value."""
        match value:
            case str():
                return self.clean(value)
            case dict():
                return {self.clean(name): self.clean_json(one) for name, one in value.items()}
            case list():
                return [self.clean_json(one) for one in value]
            case _:
                return value

    def name(self, text: object, otherwise: str) -> str:
        """The text as a name of at most 255 characters, or the other one where it is none."""
        for name in (text, otherwise):
            if isinstance(name, str):
                short = self.clean(name).strip()
                if len(short) > MAX_NAME_CHARACTERS:
                    short = short[: MAX_NAME_CHARACTERS - 1] + "…"
                with suppress(Invalid):
                    return clean_name(short)
        return "?"

    def metadata(self, values: dict[str, object]) -> str | None:
        """Compact JSON within the limits: files go first, then the last values."""
        while values:
            try:
                return clean_metadata(values)
            except Invalid:
                self.add(Fate.METADATA)
                files = values.get("files")
                if not (isinstance(files, list) and files):
                    values.popitem()
                elif len(files) == 1:
                    del values["files"]
                else:
                    values["files"] = files[:-1]
        return None

    def parts(self, body: str) -> list[str]:
        """The body in parts of at most 16 KiB, none of them blank."""
        encoded = self.clean(body).encode()
        parts: list[str] = []
        while encoded:
            part = encoded[:MAX_BODY_BYTES].decode(errors="ignore")
            encoded = encoded[len(part.encode()) :]
            if not part.isspace():
                parts.append(part)
        if len(parts) > 1:
            self.add(Fate.SPLIT)
        return parts


@dataclass(frozen=True)
class ForeignChat:
    """A chat; `key` identifies it within its export."""

    key: str
    name: str
    created_at: datetime | None = None
    metadata: Json = field(default_factory=dict)


@dataclass(frozen=True)
class File:
    """An attached file: its name, and its address or its path in the archive."""

    name: str
    url: str


@dataclass(frozen=True)
class ForeignMessage:
    """A message; `key` identifies it within its chat, `thread` the message that it replies to."""

    chat: str
    key: str
    at: datetime
    sender: str | None
    body: str
    metadata: Json = field(default_factory=dict)
    files: Sequence[File] = ()
    thread: str | None = None
    edited_at: datetime | None = None
    erased_at: datetime | None = None


Item = ForeignChat | ForeignMessage


def at_microseconds(microseconds: int) -> datetime:
    """The time so many microseconds after the beginning of 1970. Raises ValueError if it is odd."""
    if not 0 <= microseconds < _LATEST:
        raise ValueError("a time before 1970 or far in the future")
    return _EPOCH + timedelta(microseconds=microseconds)


def objects(value: object) -> list[dict[str, object]]:
    """The objects in a list of JSON; none where the value is missing or something else."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def text(value: object) -> str:
    """A string of JSON; empty where it is missing or something else."""
    return value if isinstance(value, str) else ""


def description(value: object) -> str | None:
    """A text about a chat, cut; None if it is empty."""
    return text(value)[:MAX_DESCRIPTION] or None


def without_blanks(**values: object) -> dict[str, object]:
    """The values that say something."""
    return {name: value for name, value in values.items() if value not in (None, "", [], {}, False)}
