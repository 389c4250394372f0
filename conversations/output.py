"""Where an export goes: standard output, or a file that appears when it is complete."""

import gzip
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO, cast

from django.core.management.base import OutputWrapper

GZIP_ENDING = ".gz"
# What a shell reports of a program that SIGPIPE has ended.
CLOSED_PIPE_STATUS = 141


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file that takes its place, and the place of another, when the block succeeds."""
    path = path.resolve()
    if path.exists() and not path.is_file():
        # A device or a pipe stays what it is.
        with path.open("wb") as direct, _compressed(direct, path) as content:
            yield content
        return
    draft = path.with_name(f".{path.name}.{token_hex(4)}")
    try:
        with draft.open("xb") as file:
            with _compressed(file, path) as content:
                yield content
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def standard_output(stdout: OutputWrapper) -> Iterator[BinaryIO]:
    """Standard output as bytes: always UTF-8, and each write whole or an error."""
    try:
        descriptor = stdout.fileno()
    except OSError:  # a test's, in memory
        yield cast("BinaryIO", _Encoded(stdout))
        return
    # Not the buffer that is there: with PYTHONUNBUFFERED there is none, and writes may be partial.
    with os.fdopen(descriptor, "wb", closefd=False) as content:
        yield content


@contextmanager
def reader_may_leave() -> Iterator[None]:
    """End quietly when whoever reads standard output has heard enough, as `head` does."""
    try:
        yield
    except BrokenPipeError:
        # What is still buffered goes nowhere, or the interpreter would complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(CLOSED_PIPE_STATUS) from None


class _Encoded:
    """A stream of text, such as a test's, that takes bytes."""

    def __init__(self, stream: OutputWrapper) -> None:
        self._stream = stream

    def write(self, content: bytes) -> None:
        # A style, even this one, says that the text is to pass as it is.
        self._stream.write(content.decode(), style_func=str, ending="")


@contextmanager
def _compressed(file: BinaryIO, path: Path) -> Iterator[BinaryIO]:
    if path.suffix != GZIP_ENDING:
        yield file
        return
    # Without name and time the same conversations make the same file.
    with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as content:
        yield cast("BinaryIO", content)
