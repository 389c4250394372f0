"""The counters of all processes of a host: files in one directory, which any of them can add up.

prometheus_client keeps what a process counts in files named after it. Here the name is no pid,
which containers that share the directory would give twice, and a pid's next owner would inherit.
A living process holds a lock on a file of its own, which the kernel releases however the process
ends. What the dead have counted is added up in one file of each kind: so no total falls, and no
file is left.

Adding up is one atomic step. A new sum is written beside the old one; then the ledger is replaced,
which names the sum that counts and the dead that are in it. A reader goes by the ledger, so each
process counts once, wherever an adding up was killed or stands still. The next removes the rest.

Where PROMETHEUS_MULTIPROC_DIR is not set a process counts in its own memory, for itself.
"""

import fcntl
import json
import os
import platform
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO
from uuid import uuid4

from prometheus_client import values
from prometheus_client.metrics_core import Metric
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import CollectorRegistry

from infra.errors import Unavailable
from infra.logs import Event, get_logger

logger = get_logger(__name__)

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
#: Bytes taken before they are needed: a disk that fills up would else kill who writes into its map.
_PREALLOCATED_BYTES = {"counter": 256 * 1024, "histogram": 1024 * 1024, "gauge_livesum": 64 * 1024}
_MERGED_KINDS = ("counter", "histogram")
_LEDGER = "ledger.json"
#: What the name of a sum begins with.
_SUM = "sum-"
#: The ledger is replaced when a process has ended; nobody meets that so often in a row.
_READ_ATTEMPTS = 20


def attach() -> None:
    """Let this process, and what is forked from it, count in the directory, if there is one.

    To be called before any metric is defined.
    """
    directory = shared_directory()
    if directory is None:
        values.ValueClass = values.MutexValue
        return
    try:
        directory.mkdir(parents=True, exist_ok=True)
        member = CountingProcess(directory)
    except OSError as error:
        logger.error(Event.COUNTERS_WRONG, folder=str(directory), error=error)  # noqa: TRY400
        values.ValueClass = values.MutexValue
        return
    values.ValueClass = values.MultiProcessValue(member.name)


def shared_directory() -> Path | None:
    """Where the processes of this host count; None where each does so for itself."""
    given = os.environ.get(VARIABLE)
    return Path(given) if given else None


def collect(own: CollectorRegistry) -> list[Metric]:
    """All that was counted: by all processes of this host, else by this one.

    Raises Unavailable where processes that ended were added up each time that it looked.
    """
    directory = shared_directory()
    if directory is None or values.ValueClass is values.MutexValue:
        return list(own.collect())
    merge_dead(directory)
    return read_all(directory)


def identity() -> str:
    """The name of what `collect` adds up here: the same in all processes that share a directory."""
    directory = shared_directory()
    if directory is None or values.ValueClass is values.MutexValue:
        return f"{os.getpid()}@{platform.node()}"
    return identity_of(directory)


def identity_of(directory: Path) -> str:
    """The name that this directory was given when it was first asked for. Raises OSError."""
    path = directory / "identity"
    if not path.exists():
        with NamedTemporaryFile("w", dir=directory) as draft:
            draft.write(uuid4().hex)
            draft.flush()
            # A link appears whole or not at all, and never replaces a rival's.
            with suppress(FileExistsError):
                os.link(draft.name, path)
    return path.read_text()


def read_all(directory: Path) -> list[Metric]:
    """What all processes have counted, each once. Raises Unavailable.

    It needs no lock, and so waits for nobody: where the ledger was replaced meanwhile, it reads
    again.
    """
    for _ in range(_READ_ATTEMPTS):
        ledger = _Ledger.of(directory)
        files = [file for file in directory.glob("*_*.db") if ledger.counts(_name(file))]
        with suppress(FileNotFoundError):
            found = list(MultiProcessCollector.merge(map(str, files)))
            if _Ledger.of(directory) == ledger:
                return found
    raise Unavailable("What processes that ended have counted is being added up.")


class CountingProcess:
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
        draft = self._directory / f"{name}.new"
        lock = draft.open("w")
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Where others look for it, it is locked from its first moment.
        draft.rename(_alive(self._directory, name))
        for kind, room in _PREALLOCATED_BYTES.items():
            _make(_file(self._directory, kind, name), room)
        self._name = name
        self._lock: IO[str] = lock


@dataclass(frozen=True)
class _Ledger:
    """The sum that counts, by its name, and the dead that are in it."""

    sum: str = ""
    added: frozenset[str] = frozenset()

    @classmethod
    def of(cls, directory: Path) -> "_Ledger":
        """As it is now; empty before anything was added up."""
        try:
            kept = json.loads((directory / _LEDGER).read_text())
        except FileNotFoundError:
            return cls()
        return cls(kept["sum"], frozenset(kept["added"]))

    def put(self, directory: Path) -> None:
        """Let this one hold from now on."""
        draft = directory / f"{_LEDGER}.draft"
        draft.write_text(json.dumps({"sum": self.sum, "added": sorted(self.added)}))
        draft.replace(directory / _LEDGER)

    def counts(self, name: str) -> bool:
        """Whether the files of this name count: the sum's, and those of what is not in it."""
        return name == self.sum if name.startswith(_SUM) else name not in self.added


def merge_dead(directory: Path) -> None:
    """Add up what the dead have left, unless another process is at it."""
    with _locked(directory) as is_alone:
        if not is_alone:
            return
        try:
            _merge_dead(directory)
        except (OSError, RuntimeError) as error:
            logger.warning(Event.COUNTERS_STAY, error=error)


def _merge_dead(directory: Path) -> None:
    ledger = _Ledger.of(directory)
    for name in {name for name in _names(directory) if not ledger.counts(name)}:
        _remove(directory, name)  # an earlier one was killed
    names = _names(directory) - {ledger.sum}
    dead = {name for name in names if _is_dead(directory, name)}
    if not dead:
        return
    new = _Ledger(f"{_SUM}{uuid4().hex}", frozenset(dead))
    for kind in _MERGED_KINDS:
        _merge_files(directory, kind, [ledger.sum, *dead], new.sum)
    new.put(directory)
    for name in {ledger.sum, *dead}:
        _remove(directory, name)


def _merge_files(directory: Path, kind: str, names: Iterable[str], into: str) -> None:
    files = (_file(directory, kind, name) for name in names)
    found = MultiProcessCollector.merge(
        [str(file) for file in files if file.exists()], accumulate=False
    )
    total = _file(directory, kind, into)
    _make(total, 2 * _PREALLOCATED_BYTES[kind])
    counted = MmapedDict(str(total))
    for metric in found:
        for sample in metric.samples:
            names, labels = list(sample.labels), list(sample.labels.values())
            key = mmap_key(metric.name, sample.name, names, labels, metric.documentation)
            counted.write_value(key, sample.value, 0.0)
    counted.close()


def _remove(directory: Path, name: str) -> None:
    """The file that says whether it lives goes last: without it the others would count as dead."""
    for kind in _PREALLOCATED_BYTES:
        _file(directory, kind, name).unlink(missing_ok=True)
    _alive(directory, name).unlink(missing_ok=True)


def _names(directory: Path) -> set[str]:
    return set(map(_name, (*directory.glob("*.alive"), *directory.glob("*_*.db"))))


def _name(file: Path) -> str:
    return file.stem.rpartition("_")[2]


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
def _locked(directory: Path) -> Iterator[bool]:
    """Whether no other process holds the lock of the directory; it is not waited for."""
    with (directory / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True


def _make(path: Path, room: int) -> None:
    with path.open("xb") as file:
        os.posix_fallocate(file.fileno(), 0, room)


def _file(directory: Path, kind: str, name: str) -> Path:
    return directory / f"{kind}_{name}.db"


def _alive(directory: Path, name: str) -> Path:
    return directory / f"{name}.alive"
