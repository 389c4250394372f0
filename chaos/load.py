"""Clients that write, read and edit at a bounded rate, with a journal of the responses.

Each client waits for each response and keeps its interval. So the machine is not saturated before
the fault, and the load does not rise when requests are refused.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from uuid import uuid4

from bench import texts
from chaos.client import Client
from chaos.cluster.nodes import address, enter_network_of
from chaos.journal import Attempt, Journal
from chaos.parent import Parent
from chaos.requests import Kind
from chaos.waiting import until
from chaos.writer import ANSWER_SECONDS, Mix, Writer

EVERYTHING: Mix = {
    Kind.MESSAGE: 40,
    Kind.BULK: 5,
    Kind.CHAT: 8,
    Kind.EDIT: 15,
    Kind.READ: 15,
    Kind.LIST: 12,
    Kind.SEARCH: 5,
}
_DIFFERENT_TEXTS = 300
_INSIDE = 5


class Load:
    """One client for each of `homes`; each sends a request every `interval` seconds."""

    def __init__(
        self,
        homes: Sequence[Parent],
        *,
        mix: Mix = EVERYTHING,
        interval: float,
        journal: Journal,
        padding: str = "",
        keyed: bool = True,
    ) -> None:
        self.homes = homes
        self.name = f"load{uuid4().hex[:8]}"
        self._interval = interval
        self._journal = journal
        self._web = ""
        #: The numbers of the clients that `put_inside` moved.
        self.inside: frozenset[int] = frozenset()
        tails = [text + padding for text in texts.bodies(_DIFFERENT_TEXTS)]
        self.writers = [
            Writer(number, self.name, home, mix, tails, keyed=keyed)
            for number, home in enumerate(homes)
        ]

    def put_inside(self, web: str) -> None:
        """Put some clients on the side of this web server: they ask it alone."""
        self._web, self.inside = web, frozenset(range(_INSIDE))

    @property
    def journal(self) -> Sequence[Attempt]:
        """All attempts so far, in order of response."""
        return self._journal.attempts

    @property
    def accepted(self) -> list[Attempt]:
        """The successful creates."""
        return [attempt for attempt in self.journal if attempt.is_accepted]

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run all clients during the block, which starts when each has had a create accepted."""
        end = Event()
        # The threads end with it, and nothing else uses those that were moved.
        with ThreadPoolExecutor(len(self.writers)) as pool:
            futures = [pool.submit(self._work, writer, end) for writer in self.writers]
            try:
                self.goes_on()
                yield
            finally:
                end.set()
        for future in futures:
            future.result()

    def goes_on(self, within: float = 30) -> None:
        """Wait until each client has had a new create accepted. Raises ChaosError."""
        now, clients = time.time(), {writer.number for writer in self.writers}
        until(
            lambda: clients == {done.client for done in self.accepted if done.sent_at > now},
            "each client gets a message accepted",
            within,
        )

    def take_turn(self, http: Client, writer: Writer) -> Attempt:
        """Send one request of this client and journal it."""
        done = writer.turn(http)
        self._journal.append(done)
        return done

    def _work(self, writer: Writer, end: Event) -> None:
        # Stagger the clients, so that they do not all send at once.
        pause = self._interval * writer.number / len(self.writers)
        is_inside = writer.number in self.inside
        if is_inside:
            enter_network_of(self._web)
        with Client(ANSWER_SECONDS, address(self._web) if is_inside else None) as http:
            while not end.wait(pause):
                began = time.monotonic()
                self.take_turn(http, writer)
                pause = max(0.0, began + self._interval - time.monotonic())


def by_client(attempts: Sequence[Attempt]) -> Mapping[int, list[Attempt]]:
    """The attempts by client, in order of sending."""
    found: dict[int, list[Attempt]] = {}
    for attempt in sorted(attempts, key=lambda attempt: attempt.sent_at):
        found.setdefault(attempt.client, []).append(attempt)
    return found
