"""Clients that write one message after another, each to its chat and without a key.

Each body is unique, so the rows of a failed request can be recognized.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

from chaos import load
from chaos.client import Client
from chaos.database import authority
from chaos.journal import Attempt, Journal
from chaos.load import by_client
from chaos.parent import Parent
from chaos.requests import Kind
from chaos.writer import Writer

#: Of each client's messages: the servers need the machine more.
INTERVAL_SECONDS = 0.05


class Load(load.Load):
    """One client for each entry of `homes`; `authority` gave the numbers when it was made."""

    def __init__(self, homes: Sequence[Parent], interval: float = INTERVAL_SECONDS) -> None:
        super().__init__(
            homes,
            mix={Kind.MESSAGE: 1},
            interval=interval,
            journal=Journal(),
            keyed=False,
        )
        self.authority = authority()

    @property
    def chats(self) -> list[Parent]:
        """Each chat once."""
        return sorted(set(self.homes))

    @property
    def failed(self) -> list[Attempt]:
        """The attempts that were not answered 201."""
        return [attempt for attempt in self.journal if not attempt.is_accepted]

    def write(self, each: int) -> None:
        """Write `each` messages per client without a pause; assert that all are accepted."""
        before = len(self.accepted)

        def turns(writer: Writer) -> None:
            with Client() as http:
                for _ in range(each):
                    self.take_turn(http, writer)

        with ThreadPoolExecutor(len(self.writers)) as pool:
            list(pool.map(turns, self.writers))
        assert len(self.accepted) - before == each * len(self.writers), self.failed

    def longest_wait(self) -> float:
        """The longest time between two 201 responses to one client, in seconds."""
        waits = [0.0]
        for attempts in by_client(self.accepted).values():
            waits += [
                later.answered_at - earlier.answered_at for earlier, later in pairwise(attempts)
            ]
        return max(waits)
