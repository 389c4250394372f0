"""Read the log of a recorded server, and wait for events in it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.processes import wait_until
from scripts.request_trace.recorder import TASK_ENDED, WORKER_READY


class TraceError(Exception):
    """The files cannot be counted; the message says why."""


#: A web process counts as idle if it made no calls for this long.
_QUIET_SECONDS = 0.2
_LIMIT_SECONDS = 30.0
_LOOK_SECONDS = 0.02

#: How the names of background threads begin: the tick of numbering, the sampler and its readings.
_BACKGROUND = ("numbering", "sampler", "readings")


def is_background(thread: str) -> bool:
    """Whether a thread of this name works for the process and not for a request."""
    return thread.startswith(_BACKGROUND) or thread.endswith("-probe")


@dataclass(frozen=True)
class Line:
    """A call of a function in this file, or an event of the worker; `at` is in nanoseconds."""

    at: int
    what: str


class Log:
    """The recorded calls of one server, without those of background threads.

    Times are in nanoseconds of `time.monotonic_ns`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: list[Line] = []
        self._offset = 0

    def files(self, start: int) -> frozenset[str]:
        """The files of which a function was called since `start`."""
        return frozenset(self._since(start) - {TASK_ENDED, WORKER_READY})

    def wait_until_quiet(self) -> None:
        """Return when there were no calls for a moment. Raises TraceError."""
        quiet = int(_QUIET_SECONDS * 1e9)
        until(lambda: not self._since(time.monotonic_ns() - quiet), f"{self._path.stem} is idle")

    def wait_for_worker(self) -> None:
        """Return when the worker takes tasks. Raises TraceError."""
        until(lambda: WORKER_READY in self._since(0), "the worker takes tasks")

    def wait_for_task(self, start: int) -> None:
        """Return when a task has ended since `start`. Raises TraceError."""
        until(lambda: TASK_ENDED in self._since(start), "the worker has stored the row")

    def _since(self, start: int) -> set[str]:
        self._read()
        return {line.what for line in self._lines if line.at >= start}

    def _read(self) -> None:
        with self._path.open("rb") as log:
            log.seek(self._offset)
            text = log.read()
        # The last line may not be whole yet.
        text = text[: text.rfind(b"\n") + 1]
        self._offset += len(text)
        for line in text.decode().splitlines():
            at, thread, what = line.split("\t")
            if not is_background(thread):
                self._lines.append(Line(int(at), what))


def until(condition: Callable[[], object], what: str) -> None:
    """Return as soon as the condition holds. Raises TraceError after half a minute."""
    wait_until(condition, _LIMIT_SECONDS, what, _LOOK_SECONDS, TraceError)
