"""The stack's workers: whether they run, having them stopped and started; one worker alone."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bench import stack
from bench.processes import running
from bench.waiting import wait_until

_BY_HAND_SECONDS = 600.0


class StackWorker:
    """Stopped and started by this command where it may, else by whoever is asked to."""

    def __init__(self, *, managed: bool) -> None:
        self._managed = managed

    def stop(self) -> None:
        """Return when it does not run any more."""
        self._command("stop")
        wait_until(lambda: not _runs(), _BY_HAND_SECONDS, "the worker is stopped", every=0.5)

    def start(self) -> None:
        """Have it started; it may not have begun to work yet."""
        self._command("start")

    def _command(self, verb: str) -> None:
        if _runs() == (verb == "start"):
            return
        if self._managed:
            stack.command(verb, "worker")
        else:
            print(f"now please: scripts/stack {verb} worker", flush=True)


@contextmanager
def one_worker() -> Iterator[None]:
    """One that stores what was accepted, as the stack has it; it may not have begun to work yet."""
    command = [sys.executable, "-m", "celery", "--quiet", "-A", "chatsystem", "worker"]
    command += ["--hostname", "bench@%h", "--queues", "chats,messages"]
    command += ["--without-gossip", "--without-mingle"]
    with running("worker", command, {}, lambda: True):
        yield


def _runs() -> bool:
    return stack.part("worker").state == "running"
