"""The archive of another system's export: a folder, a zip, a tar, or a single file, plain or gzip.

Nothing is unpacked to disk. Files come in the order of the archive, one at a time, because a
compressed tar can only be read from its beginning.
"""

import gzip
import json
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath, PurePosixPath
from typing import IO, cast

from conversations.errors import SourceUnreadable
from conversations.import_source import MAGIC

#: A file of JSON, or a line of one, is held in memory as a whole.
MAX_JSON_BYTES = 512 * 1024 * 1024
MAX_LINE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Member:
    """A file of the archive. It must be read before the next one is asked for."""

    path: PurePosixPath
    open: Callable[[], IO[bytes]]

    @property
    def is_at_top(self) -> bool:
        """Whether it lies at the top, or in the one folder that contains everything."""
        return len(self.path.parts) <= 2

    def read_json(self) -> object:
        """The content of a JSON file. Raises SourceUnreadable."""
        with _readable(self.path), self.open() as file:
            content = file.read(MAX_JSON_BYTES + 1)
        if len(content) > MAX_JSON_BYTES:
            raise SourceUnreadable(f"{self.path} is longer than {MAX_JSON_BYTES:,} bytes.")
        return _parsed(content, str(self.path))

    def read_json_lines(self) -> Iterator[object]:
        """The lines of a file of JSON lines. Raises SourceUnreadable."""
        with _readable(self.path), self.open() as file:
            number = 0
            while line := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(line) > MAX_LINE_BYTES:
                    raise SourceUnreadable(
                        f"{self.path}:{number} is longer than {MAX_LINE_BYTES:,} bytes."
                    )
                if line.strip():
                    yield _parsed(line, f"{self.path}:{number}")


class Archive:
    """An export; it can be read several times."""

    def __init__(self, path: Path, read: Callable[[Path], Iterator[Member]]) -> None:
        self.path = path
        self._read = read

    @property
    def name(self) -> str:
        """The name of the archive without its endings."""
        return self.path.absolute().name.split(".")[0]

    def members(self) -> Iterator[Member]:
        """Its files. Raises SourceUnreadable."""
        with _readable(self.path):
            yield from self._read(self.path)


def open_archive(path: Path) -> Archive:
    """The archive at this path. Raises SourceUnreadable."""
    with _readable(path):
        if path.is_dir():
            return Archive(path, _in_folder)
        if zipfile.is_zipfile(path):
            return Archive(path, _in_zip)
        if tarfile.is_tarfile(path):
            return Archive(path, _in_tar)
        return Archive(path, _single)


def _in_folder(path: Path) -> Iterator[Member]:
    for file in sorted(path.rglob("*")):
        if file.is_file():
            yield Member(
                PurePosixPath(file.relative_to(path)),
                partial(cast("Callable[..., IO[bytes]]", file.open), "rb"),
            )


def _in_zip(path: Path) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if not info.is_dir():
                yield Member(PurePosixPath(info.filename), partial(archive.open, info))


def _in_tar(path: Path) -> Iterator[Member]:
    with tarfile.open(path) as archive:
        for info in archive:
            if info.isfile():
                # None stands for what is no file.
                content = cast("IO[bytes]", archive.extractfile(info))
                yield Member(PurePosixPath(info.name), partial(_same, content))


def _single(path: Path) -> Iterator[Member]:
    with path.open("rb") as file:
        is_gzip = file.read(len(MAGIC)) == MAGIC
        file.seek(0)
        content = cast("IO[bytes]", gzip.GzipFile(fileobj=file) if is_gzip else file)
        yield Member(PurePosixPath(path.name), partial(_same, content))


def _same(content: IO[bytes]) -> IO[bytes]:
    return content


@contextmanager
def _readable(path: PurePath) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SourceUnreadable(f"{path} cannot be read: {error.strerror or error}.") from error
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, RuntimeError) as error:
        # RuntimeError: zipfile raises it for an encrypted file.
        raise SourceUnreadable(f"{path} is damaged or encrypted: {error}.") from error


def _parsed(content: bytes, where: str) -> object:
    """The value of this JSON. Unlike orjson, json reads the half characters that exports have."""
    try:
        return json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise SourceUnreadable(f"{where} is not valid JSON in UTF-8: {error}.") from None
