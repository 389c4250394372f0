"""Messages at half the peak rate, into one chat, and who listens to them."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from bench import texts
from bench.product import new_chat
from bench.wrk import Load, load, request_file
from chaos import observed
from chaos.evidence import Sort, Violation
from chaos.parent import Parent
from chaos.receivers import Audience

_CONNECTIONS = 64
_PEAK_SECONDS = 10
_END_SECONDS = 60.0


@dataclass(frozen=True)
class Flood:
    """The messages of a soak. `peak` was sent before it, as fast as the server answers."""

    chat: Parent
    peak: Load
    half: Load
    audience: Audience

    @property
    def answered(self) -> int:
        """Messages that were accepted."""
        return self.peak.answered + self.half.answered

    @property
    def failed(self) -> int:
        """Requests without a good answer."""
        return sum(run.refused + run.broken for run in (self.peak, self.half))

    def violations(self) -> Sequence[Violation]:
        """How rows, answers, the log and its listeners differ. Call it when all is stored."""
        texts_by_parent = observed.stored([self.chat.token])
        rows = sorted(texts_by_parent[self.chat])
        found = self.audience.violations(texts_by_parent)
        # The requests in flight at the end of a run may be stored, and wrk does not count them.
        extra = len(rows) - self.answered
        if extra < 0:
            found.append(Violation(Sort.LOST, f"{-extra} messages of {self.chat}"))
        elif extra > 2 * _CONNECTIONS + self.failed:
            found.append(Violation(Sort.DOUBLED, f"{extra} messages of {self.chat}"))
        if rows != list(range(1, len(rows) + 1)):
            found.append(Violation(Sort.GAP, f"{self.chat}: {len(rows)} rows up to {rows[-1]}"))
        return found


@contextmanager
def flooded(seconds: float) -> Iterator[Callable[[], Flood]]:
    """Measure the peak, then send half of it for this time, beside the block; the result."""
    url = os.environ["BASE_URL"]
    made = new_chat(url)
    chat = Parent(made.token, made.number)
    audience = Audience([chat], of_each_application=1, of_each_chat=1, receivers=1)
    with request_file(texts.creates()) as requests, audience, ThreadPoolExecutor(1) as pool:
        send = partial(load, url + made.messages_path, requests, connections=_CONNECTIONS)
        peak = send(seconds=_PEAK_SECONDS)
        half = pool.submit(send, seconds=seconds, rate=peak.rate / 2)
        yield lambda: Flood(chat, peak, half.result(_END_SECONDS), audience)
