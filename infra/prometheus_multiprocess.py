"""Metrics of all processes of a host: files in one directory, which any of them can merge.

A living process holds a lock on a file of its own, which the kernel releases however it ends. Names
are no pids, which containers that share the directory would repeat. The values of dead processes
are merged into one file of each kind, so no total falls. A new sum is written beside the old one;
then the ledger is replaced, which names the valid sum and the dead processes that it includes. So
each process counts once, even if a merge was killed; the next one removes the leftovers.

Without PROMETHEUS_MULTIPROC_DIR a process counts for itself. All use of prometheus_client's private
API is in this module.
"""

import fcntl
import json
import os
import platform
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO
from uuid import uuid4

from django.conf import settings
from prometheus_client import values
from prometheus_client.metrics_core import Metric
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import CollectorRegistry

from infra.errors import Unavailable
from infra.logs import Event, get_logger

logger = get_logger(__name__)

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
#: Bytes allocated in advance: on a full disk, writing into a sparse mapped file kills the process.
_PREALLOCATED_BYTES = {"counter": 256 * 1024, "histogram": 1024 * 1024, "gauge_livesum": 64 * 1024}
_MERGED_KINDS = ("counter", "histogram")
_LEDGER = "ledger.json"
#: The prefix of a sum's name.
_SUM = "sum-"
#: The ledger is replaced when a process has ended, which never happens this often in a row.
_READ_ATTEMPTS = 20


def attach() -> None:
    """Make this process and its forks count in the shared directory, before metrics are defined."""
    directory = shared_directory()
    if directory is None:
        values.ValueClass = values.MutexValue
        return
    try:
        directory.mkdir(parents=True, exist_ok=True)
        process = CountingProcess(directory)
    except OSError as error:
        logger.error(Event.COUNTERS_WRONG, folder=str(directory), error=error)  # noqa: TRY400
        values.ValueClass = values.MutexValue
        return
    # prometheus_client asks for the name at each increment, so this runs no Python code.
    values.ValueClass = values.MultiProcessValue(partial(getattr, process, "name"))


def use_shared_directory() -> None:
    """Set the directory for this process and its children, before any metric is defined."""
    given = settings.ENVIRONMENT.prometheus_multiproc_dir
    os.environ[VARIABLE] = given or str(settings.VAR_DIR / "metrics")


def shared_directory() -> Path | None:
    """The directory of this host's processes; None if each process counts for itself."""
    given = os.environ.get(VARIABLE)
    return Path(given) if given else None


def collect(own: CollectorRegistry) -> list[Metric]:
    """Return the metrics of all processes of this host, or of this one. Raises Unavailable."""
    directory = shared_directory()
    if directory is None or values.ValueClass is values.MutexValue:
        return list(own.collect())
    merge_dead(directory)
    return read_all(directory)


def identity() -> str:
    """Identify the processes that `collect` covers: those that share a directory share the name."""
    directory = shared_directory()
    if directory is None or values.ValueClass is values.MutexValue:
        return f"{os.getpid()}@{platform.node()}"
    return identity_of(directory)


def identity_of(directory: Path) -> str:
    """Return the name of the directory; the first call makes it. Raises OSError."""
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
    """Read the metrics of all processes, each once, without a lock. Raises Unavailable."""
    for _ in range(_READ_ATTEMPTS):
        ledger = _Ledger.of(directory)
        files = [file for file in directory.glob("*_*.db") if ledger.counts(_name(file))]
        with suppress(FileNotFoundError):
            found = list(MultiProcessCollector.merge(map(str, files)))
            if _Ledger.of(directory) == ledger:
                return found
    raise Unavailable("The metrics of processes that ended are being merged.")


class CountingProcess:
    """A process that counts; after a fork the child gets a name of its own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        #: The part of the file names that is this process's own.
        self.name = ""
        self._begin()
        os.register_at_fork(after_in_child=self._begin_in_child)

    def _begin_in_child(self) -> None:
        inherited = self._lock
        try:
            self._begin()
        except OSError as error:
            # Now two processes overwrite each other's values, which is better than ending this one.
            logger.error(Event.COUNTERS_WRONG, error=error)  # noqa: TRY400
        else:
            inherited.close()  # the parent still holds the lock

    def _begin(self) -> None:
        name = uuid4().hex
        draft = self._directory / f"{name}.new"
        lock = draft.open("w")
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Under the name that others look for, the file is locked from the start.
        draft.rename(_alive(self._directory, name))
        for kind, size in _PREALLOCATED_BYTES.items():
            _allocate(_file(self._directory, kind, name), size)
        self.name = name
        self._lock: IO[str] = lock


@dataclass(frozen=True)
class _Ledger:
    """The name of the valid sum, and the dead processes that it includes."""

    sum: str = ""
    added: frozenset[str] = frozenset()

    @classmethod
    def of(cls, directory: Path) -> "_Ledger":
        """Read the current ledger; it is empty before the first merge."""
        try:
            kept = json.loads((directory / _LEDGER).read_text())
        except FileNotFoundError:
            return cls()
        return cls(kept["sum"], frozenset(kept["added"]))

    def put(self, directory: Path) -> None:
        """Replace the current ledger by this one."""
        draft = directory / f"{_LEDGER}.draft"
        draft.write_text(json.dumps({"sum": self.sum, "added": sorted(self.added)}))
        draft.replace(directory / _LEDGER)

    def counts(self, name: str) -> bool:
        """Whether the files of this name count: those of the sum, and those not included in it."""
        return name == self.sum if name.startswith(_SUM) else name not in self.added


def merge_dead(directory: Path) -> None:
    """Merge the values of dead processes, unless another process is doing so."""
    with (directory / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return
        try:
            _merge_dead(directory)
        except (OSError, RuntimeError) as error:
            logger.warning(Event.COUNTERS_STAY, error=error)


def _merge_dead(directory: Path) -> None:
    ledger = _Ledger.of(directory)
    for name in {name for name in _names(directory) if not ledger.counts(name)}:
        _remove(directory, name)  # an earlier merge was killed
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
    _allocate(total, 2 * _PREALLOCATED_BYTES[kind])
    counted = MmapedDict(str(total))
    for metric in found:
        for sample in metric.samples:
            names, labels = list(sample.labels), list(sample.labels.values())
            key = mmap_key(metric.name, sample.name, names, labels, metric.documentation)
            counted.write_value(key, sample.value, 0.0)
    counted.close()


def _remove(directory: Path, name: str) -> None:
    """Remove the files of a process, the locked one last: without it the others look dead."""
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


def _allocate(path: Path, size: int) -> None:
    with path.open("xb") as file:
        os.posix_fallocate(file.fileno(), 0, size)


def _file(directory: Path, kind: str, name: str) -> Path:
    return directory / f"{kind}_{name}.db"


def _alive(directory: Path, name: str) -> Path:
    return directory / f"{name}.alive"
