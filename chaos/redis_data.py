"""Redis's files after an accident: an older copy, or a truncated log."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chaos import stack
from chaos.errors import ChaosError

_TRIES = 5


def folder() -> Path:
    """The data folder of the stack's Redis."""
    with stack.redis_client() as client:
        return Path(client.config_get("dir")["dir"])


def copy(data: Path, to: Path) -> None:
    """Make a copy that Redis can start from; Redis may be running. Raises ChaosError."""
    for _ in range(_TRIES):
        shutil.rmtree(to, ignore_errors=True)
        before = _manifest(data)
        shutil.copytree(data, to, ignore_dangling_symlinks=True)
        if before == _manifest(data) == _manifest(to):
            return  # the log lacks only later writes
    raise ChaosError(f"{data} is rewritten again and again")


def put_back(data: Path, older: Path) -> None:
    """Replace the data by the older copy; Redis must be down."""
    shutil.rmtree(data)
    shutil.copytree(older, data)


def cut(data: Path, how_many: int) -> int:
    """Cut up to `how_many` bytes off the log, at most half. Return how many. Redis must be down."""
    log = max(data.glob("appendonlydir/*.incr.aof"), key=lambda path: path.stat().st_mtime)
    size = log.stat().st_size
    taken = min(how_many, size // 2)
    with log.open("r+b") as file:
        file.truncate(size - taken)
    return taken


@contextmanager
def older_redis(to: Path) -> Iterator[None]:
    """Restore after the block Redis's data from before it; stop Redis for both copies."""
    data = folder()
    with stack.broken("stop", "redis"):
        copy(data, to)
    yield
    with stack.broken("stop", "redis"):
        put_back(data, to)


def _manifest(data: Path) -> bytes:
    return (data / "appendonlydir" / "appendonly.aof.manifest").read_bytes()
