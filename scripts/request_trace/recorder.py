"""Run a program as `python -m` does, and record calls of the project's functions.

`python -m scripts.request_trace.recorder LOG MODULE ARGUMENT...`

Each call appends a line to the log: the time by `time.monotonic_ns`, which all processes share, the
name of the thread, and the file. A forked process inherits the hook and the open log, a new thread
gets the hook from `threading`, and greenlet hands it on to each greenlet.
"""

import inspect
import os
import runpy
import sys
import threading
import time
import tomllib
from pathlib import Path
from types import CodeType, FrameType

ROOT = Path(__file__).resolve().parent.parent.parent
#: The environment of a recorded program names its log in this variable.
LOG_VARIABLE = "REQUEST_TRACE_LOG"
#: Lines of the worker that have this in place of a file.
WORKER_READY, TASK_ENDED = "worker ready", "task ended"


class Recorder:
    """Writes the lines of this process and of those that it forks."""

    def __init__(self, log: Path) -> None:
        self._log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())
        packages = project["tool"]["importlinter"]["root_packages"]
        self._folders = tuple(f"{ROOT / package}{os.sep}" for package in packages)
        self._files: dict[CodeType, str | None] = {}

    def start(self) -> None:
        """Record in this thread and in all that start later."""
        threading.setprofile(self._on_event)
        sys.setprofile(self._on_event)

    def write(self, what: str) -> None:
        """Append a line. Lines of several processes don't mix: each is one short write."""
        line = f"{time.monotonic_ns()}\t{threading.current_thread().name}\t{what}\n"
        os.write(self._log, line.encode())

    def _on_event(self, frame: FrameType, event: str, _argument: object) -> None:
        if event != "call":
            return
        code = frame.f_code
        if code not in self._files:
            self._files[code] = self._file_of(code)
        file = self._files[code]
        if file is not None:
            self.write(file)

    def _file_of(self, code: CodeType) -> str | None:
        """The file's path in the repository; None for other code and for bodies run at import."""
        is_function = code.co_flags & inspect.CO_OPTIMIZED
        if not is_function or not code.co_filename.startswith(self._folders):
            return None
        return str(Path(code.co_filename).relative_to(ROOT))


def main() -> None:
    """Return or raise when the program ends."""
    log, module, *arguments = sys.argv[1:]
    os.environ[LOG_VARIABLE] = log
    sys.argv = [module, *arguments]
    Recorder(Path(log)).start()
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
