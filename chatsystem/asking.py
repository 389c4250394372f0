"""Several services asked at once, none waited for longer than it is given.

One that hangs is asked once: whoever asks again waits for the same answer, and for no longer, so
that the threads are as few as the questions.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Lock
from time import monotonic
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class NoAnswer(Exception):
    """The service did not answer in time."""


class Asking(Generic[Answer]):
    """Questions by name; a question raises what is wrong with its service."""

    def __init__(self, name: str, at_once: int) -> None:
        self._pool = ThreadPoolExecutor(max_workers=at_once, thread_name_prefix=name)
        self._lock = Lock()
        self._running: dict[str, Future[Answer]] = {}

    def ask(
        self, questions: Mapping[str, Callable[[], Answer]], limits: Mapping[str, float]
    ) -> dict[str, Answer | Exception]:
        """For each question its answer, or what went wrong; `limits` in seconds from now."""
        began = monotonic()
        asked = {name: self._begin(name, question) for name, question in questions.items()}
        outcomes: dict[str, Answer | Exception] = {}
        for name in sorted(asked, key=limits.__getitem__):
            outcome = _outcome(name, asked[name], began + limits[name] - monotonic())
            outcomes[name] = outcome
        return outcomes

    def _begin(self, name: str, question: Callable[[], Answer]) -> "Future[Answer]":
        with self._lock:
            running = self._running.get(name)
            if running is None or running.done():
                running = self._running[name] = self._pool.submit(question)
            return running


def _outcome(name: str, future: Future[Answer], seconds: float) -> Answer | Exception:
    wait([future], max(seconds, 0))
    if not future.done():
        return NoAnswer(f"{name} did not answer in time")
    # Whatever it is that went wrong, it is the answer.
    error = future.exception()
    return error if isinstance(error, Exception) else future.result()
