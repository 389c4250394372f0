"""Output of commands as bytes: standard output, or a file that appears once it is complete."""

import gzip
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO, cast

from django.core.management.base import OutputWrapper

STANDARD_OUTPUT = "-"
GZIP_ENDING = ".gz"
#: The exit status that a shell reports for a program ended by SIGPIPE.
CLOSED_PIPE_STATUS = 141


def open_output(output: str, stdout: OutputWrapper) -> AbstractContextManager[BinaryIO]:
    """Standard output for `-`, or else a new file of this name."""
    return standard_output(stdout) if output == STANDARD_OUTPUT else new_file(Path(output))


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file that appears, or replaces an existing one, when the block succeeds."""
    path = path.resolve()
    if path.exists() and not path.is_file():
        # Write to a device or pipe directly, instead of replacing it.
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
    """Standard output for bytes; each write is complete or raises."""
    try:
        descriptor = stdout.fileno()
    except OSError:  # in memory, in tests
        yield cast("BinaryIO", _BytesWriter(stdout))
        return
    # Not sys.stdout.buffer: with PYTHONUNBUFFERED it is unbuffered, and writes may be partial.
    with os.fdopen(descriptor, "wb", closefd=False) as content:
        yield content


@contextmanager
def exit_on_closed_pipe() -> Iterator[None]:
    """Exit quietly when the reader of standard output closes it early, as `head` does."""
    try:
        yield
    except BrokenPipeError:
        # Discard buffered output, or the interpreter would report an error at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(CLOSED_PIPE_STATUS) from None


class _BytesWriter:
    """Writes bytes to a text stream."""

    def __init__(self, stream: OutputWrapper) -> None:
        self._stream = stream

    def write(self, content: bytes) -> None:
        # With a style function, Django writes the text unchanged.
        self._stream.write(content.decode(), style_func=str, ending="")


@contextmanager
def _compressed(file: BinaryIO, path: Path) -> Iterator[BinaryIO]:
    if path.suffix != GZIP_ENDING:
        yield file
        return
    # Without name and time in its header, the file depends on the conversations alone.
    with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as content:
        yield cast("BinaryIO", content)
