"""Small archives, and what their conversion gives."""

import io
import json
import re
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from django.core.management import call_command

from conversations.converters.items import Fate
from tests.conversations.runs import imported

Files = Mapping[str, object]


@dataclass(frozen=True)
class Conversion:
    """The lines of a conversion, and what it reported."""

    file: Path
    lines: list[dict[str, Any]]
    report: str

    @property
    def chats(self) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["type"] == "chat"]

    def messages(self, chat_number: int = 1) -> list[dict[str, Any]]:
        """The messages of one chat."""
        messages = [line for line in self.lines if line["type"] == "message"]
        return [line for line in messages if line["chat_number"] == chat_number]

    def count(self, fate: Fate) -> int:
        """How often this fate was reported."""
        found = re.search(rf": ([\d,]+) {re.escape(fate)}$", self.report, re.MULTILINE)
        return int(found[1].replace(",", "")) if found else 0


def converted(system: str, path: Path, **options: Any) -> Conversion:
    """The conversion of this archive, whose lines an import takes without a complaint."""
    file, stderr = path.with_name("converted.jsonl.gz"), StringIO()
    call_command("convert_export", system, str(path), str(file), stderr=stderr, **options)
    stdout = StringIO()
    call_command(
        "convert_export", system, str(path), "-", stdout=stdout, stderr=StringIO(), **options
    )
    lines = [json.loads(line) for line in stdout.getvalue().splitlines()]
    result = imported(file, restart=True)
    assert result["lines"] == len(lines)
    return Conversion(file, lines, stderr.getvalue())


def as_lines(lines: Iterable[Mapping[str, object]]) -> bytes:
    """Objects as JSON lines."""
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def zipped(path: Path, files: Files) -> Path:
    """A zip of these files; whatever is not bytes becomes JSON."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, _bytes(content))
    return path


def tarred(path: Path, files: Files) -> Path:
    """A tar.gz of these files."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(_bytes(content))
            archive.addfile(info, io.BytesIO(_bytes(content)))
    return path


def foldered(path: Path, files: Files) -> Path:
    """A folder of these files."""
    for name, content in files.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_bytes(content))
    return path


def _bytes(content: object) -> bytes:
    return content if isinstance(content, bytes) else json.dumps(content).encode()
