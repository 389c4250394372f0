"""The stack's worker: whether it runs, and having it stopped and started."""

from bench import stack
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


def _runs() -> bool:
    return stack.part("worker").state == "running"
