"""A fault that steps the workers' clock with libfaketime."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from chaos import stack
from chaos.deploy import is_connected
from chaos.errors import NotHere
from chaos.fault import Fault
from chaos.processes import worker_parents
from chaos.waiting import until

_LIBRARY = "*/faketime/libfaketimeMT.so.1"
_STARTED_WITHIN_SECONDS = 90.0
_ENDED_WITHIN_SECONDS = 90.0


class SteppedClock(Fault):
    """Steps the clock of all workers forward, later back."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._folder: Path | None = None
        self._workers: list[subprocess.Popen[bytes]] = []

    def prepare(self) -> None:
        """Restart the workers unsupervised, with libfaketime. Raises NotHere."""
        library = next(Path("/usr/lib").glob(_LIBRARY), None)
        if library is None:
            raise NotHere("libfaketime is not installed (Debian's package faketime)")
        self._folder = Path(tempfile.mkdtemp(prefix="stepped-clock-"))
        self._step_to(0)
        with_library = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._offset),
            "FAKETIME_CACHE_DURATION": "1",
            # Setting the system clock does not affect the monotonic clock.
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        self._check(with_library)
        found = worker_parents()
        commands = [(each.cmdline(), each.cwd(), each.environ()) for each in found]
        stack.do("stop", "worker")
        self._workers = [
            self._start(command, folder, environment | with_library)
            for command, folder, environment in commands
        ]
        until(self._are_at_work, "the workers are at work", _STARTED_WITHIN_SECONDS)

    def inject(self) -> None:
        """Step the clock forward."""
        self._step_to(self._seconds)

    def heal(self) -> None:
        """Step the clock back."""
        self._step_to(0)

    def tidy_up(self) -> None:
        """Put the workers under supervision again."""
        for worker in self._workers:
            worker.terminate()
        for worker in self._workers:
            try:
                worker.wait(_ENDED_WITHIN_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(worker.pid, signal.SIGKILL)
                worker.wait()
        if self._workers:
            stack.do("start", "worker")
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _offset(self) -> Path:
        return Path(self._folder or "") / "offset"

    def _step_to(self, seconds: int) -> None:
        draft = self._offset.with_name("offset.new")
        draft.write_text(f"+{seconds}\n")
        draft.replace(self._offset)

    def _check(self, with_library: Mapping[str, str]) -> None:
        """Raises NotHere if libfaketime has no effect on a program."""
        self._step_to(self._seconds)
        says = [sys.executable, "-c", "import time; print(time.time())"]
        deceived = subprocess.run(
            says, env={**os.environ, **with_library}, capture_output=True, timeout=30, check=False
        )
        self._step_to(0)
        if deceived.returncode or float(deceived.stdout) - time.time() < self._seconds / 2:
            raise NotHere("libfaketime does not work here")

    def _start(
        self, command: Sequence[str], folder: str, environment: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        log = (Path(self._folder or "") / "workers.log").open("ab")
        with log:
            return subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _are_at_work(self) -> bool:
        found = worker_parents()
        return len(found) == len(self._workers) and all(map(is_connected, found))
