"""The counters of all processes of a host: files in one directory, which any of them can add up.

prometheus_client keeps what a process counts in files named after it. Here the name is no pid,
which containers that share the directory would give twice, and a pid's next owner would inherit.
Who lives holds a lock on a file of its own, which the kernel lets go however the process ends. What
the dead have counted is added up in one file of each kind: so no total falls, and no file is left.

Where PROMETHEUS_MULTIPROC_DIR is not set a process counts in its own memory, for itself.
"""

import fcntl
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from uuid import uuid4

from prometheus_client import values
from prometheus_client.metrics_core import Metric
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import CollectorRegistry

from core.logs import Event, get_logger

logger = get_logger(__name__)

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
#: Bytes taken before they are needed: a disk that fills up would else kill who writes into its map.
_ROOM = {"counter": 256 * 1024, "histogram": 1024 * 1024, "gauge_livesum": 64 * 1024}
_ADDED_UP = ("counter", "histogram")
_DEAD = "dead"
#: Whoever adds up needs milliseconds; one that stands still is not waited for.
_LOCK_SECONDS = 0.3


def join() -> None:
    """Let this process, and what is forked from it, count in the directory, if there is one.

    To be called before any metric is defined.
    """
    directory = directory_of_all()
    if directory is None:
        values.ValueClass = values.MutexValue
        return
    try:
        directory.mkdir(parents=True, exist_ok=True)
        member = Member(directory)
    except OSError as error:
        logger.error(Event.COUNTERS_WRONG, folder=str(directory), error=error)  # noqa: TRY400
        values.ValueClass = values.MutexValue
        return
    values.ValueClass = values.MultiProcessValue(member.name)


def directory_of_all() -> Path | None:
    """Where the processes of this host count; None where each does so for itself."""
    given = os.environ.get(VARIABLE)
    return Path(given) if given else None


def collect(own: CollectorRegistry) -> list[Metric]:
    """All that was counted: by all processes of this host, else by this one."""
    directory = directory_of_all()
    if directory is None or values.ValueClass is values.MutexValue:
        return list(own.collect())
    tidy(directory)
    with _locked(directory, fcntl.LOCK_SH):
        return list(MultiProcessCollector(None, str(directory)).collect())


class Member:
    """A process that counts; after a fork, the child as another one."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._begin()
        os.register_at_fork(after_in_child=self._begin_in_child)

    def name(self) -> str:
        """What the files of this process are called by."""
        return self._name

    def _begin_in_child(self) -> None:
        inherited = self._lock
        try:
            self._begin()
        except OSError as error:
            # Two processes write over each other's counts then: better than to fail at their work.
            logger.error(Event.COUNTERS_WRONG, error=error)  # noqa: TRY400
        else:
            inherited.close()  # the parent goes on holding it

    def _begin(self) -> None:
        name = uuid4().hex
        with _locked(self._directory, fcntl.LOCK_SH):
            lock = _alive(self._directory, name).open("w")
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for kind, room in _ROOM.items():
                _make(_file(self._directory, kind, name), room)
        self._name = name
        self._lock: IO[str] = lock


def tidy(directory: Path) -> None:
    """Add up what the dead have left, unless somebody else is at it."""
    with _locked(directory, fcntl.LOCK_EX, seconds=0) as is_alone:
        dead = [name for name in _names(directory) if _is_dead(directory, name)] if is_alone else []
        if not dead:
            return
        try:
            for kind in _ADDED_UP:
                _add_up(directory, kind, dead)
        except (OSError, RuntimeError) as error:
            logger.warning(Event.COUNTERS_STAY, error=error)
            return
        for name in dead:
            for kind in _ROOM:
                _file(directory, kind, name).unlink(missing_ok=True)
            _alive(directory, name).unlink(missing_ok=True)


def _add_up(directory: Path, kind: str, dead: Iterable[str]) -> None:
    total = _file(directory, kind, _DEAD)
    files = [total, *(_file(directory, kind, name) for name in dead)]
    found = MultiProcessCollector.merge(
        [str(file) for file in files if file.exists()], accumulate=False
    )
    draft = directory / f"{kind}.draft"
    draft.unlink(missing_ok=True)
    _make(draft, 2 * _ROOM[kind])
    counted = MmapedDict(str(draft))
    for metric in found:
        for sample in metric.samples:
            names, labels = list(sample.labels), list(sample.labels.values())
            key = mmap_key(metric.name, sample.name, names, labels, metric.documentation)
            counted.write_value(key, sample.value, 0.0)
    counted.close()
    draft.replace(total)


def _names(directory: Path) -> set[str]:
    files = [*directory.glob("*.alive"), *directory.glob("*_*.db")]
    return {file.stem.rpartition("_")[2] for file in files} - {_DEAD}


def _is_dead(directory: Path, name: str) -> bool:
    try:
        with _alive(directory, name).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


@contextmanager
def _locked(directory: Path, how: int, seconds: float = _LOCK_SECONDS) -> Iterator[bool]:
    """Whether the lock of the directory could be had in time; it is never waited for for long."""
    until = time.monotonic() + seconds
    with (directory / "lock").open("w") as file:
        while True:
            try:
                fcntl.flock(file, how | fcntl.LOCK_NB)
            except OSError:
                if time.monotonic() < until:
                    time.sleep(0.005)
                    continue
                yield False
            else:
                yield True
            return


def _make(path: Path, room: int) -> None:
    with path.open("xb") as file:
        os.posix_fallocate(file.fileno(), 0, room)


def _file(directory: Path, kind: str, name: str) -> Path:
    return directory / f"{kind}_{name}.db"


def _alive(directory: Path, name: str) -> Path:
    return directory / f"{name}.alive"
