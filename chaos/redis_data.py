"""Redis's files as a disk or an operator may leave them: an older copy, or a log cut short."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chaos import stack
from chaos.errors import ChaosError

_TRIES = 5


def folder() -> Path:
    """Where the stack's Redis keeps its data."""
    with stack.redis_client() as client:
        return Path(client.config_get("dir")["dir"])


def copy(data: Path, to: Path) -> None:
    """A copy that a start accepts, also of a Redis that runs. Raises ChaosError."""
    for _ in range(_TRIES):
        shutil.rmtree(to, ignore_errors=True)
        before = _manifest(data)
        shutil.copytree(data, to, ignore_dangling_symlinks=True)
        if before == _manifest(data) == _manifest(to):
            return  # what the log lacks at its end is what was written since
    raise ChaosError(f"{data} is rewritten again and again")


def put_back(data: Path, older: Path) -> None:
    """Have the older copy instead; Redis must be down."""
    shutil.rmtree(data)
    shutil.copytree(older, data)


def cut(data: Path, how_many: int) -> int:
    """Take so many bytes from the end of the log, at most half of it; Redis must be down."""
    log = max(data.glob("appendonlydir/*.incr.aof"), key=lambda path: path.stat().st_mtime)
    size = log.stat().st_size
    taken = min(how_many, size // 2)
    with log.open("r+b") as file:
        file.truncate(size - taken)
    return taken


@contextmanager
def older_redis(to: Path) -> Iterator[None]:
    """Redis has after the block what it had before it; it is stopped and started for both."""
    data = folder()
    with stack.broken("stop", "redis"):
        copy(data, to)
    yield
    with stack.broken("stop", "redis"):
        put_back(data, to)


def _manifest(data: Path) -> bytes:
    return (data / "appendonlydir" / "appendonly.aof.manifest").read_bytes()
