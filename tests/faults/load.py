"""Clients that write one message after the other, and the journal of what they were answered.

Each client waits for each answer and stays in its chat. No body is ever sent twice, so what a
failed request left behind can be told from everything else.
"""

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, islice, pairwise
from threading import Event
from uuid import uuid4

from tests.faults.client import Chat, Client
from tests.faults.database import authority
from tests.faults.waiting import until

#: Between an answer and the next request: the servers need the machine more.
PAUSE_SECONDS = 0.04
PAUSE_AFTER_FAILURE_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Attempt:
    """One message that was sent, and what was answered; `status` 0 is nothing, then no `number`."""

    client: int
    chat: Chat
    body: str
    sent_at: float
    answered_at: float
    status: int
    number: int
    retry_after: str | None

    @property
    def is_accepted(self) -> bool:
        """Whether it was answered 201."""
        return self.status == 201


class Load:
    """One client for each entry of `chats`; `authority` gave the numbers when it was made."""

    def __init__(self, chats: Sequence[Chat]) -> None:
        self.journal: list[Attempt] = []
        self.authority = authority()
        self._chats = chats
        self._name = uuid4().hex[:8]
        self._bodies = [count(1) for _ in chats]

    @property
    def chats(self) -> list[Chat]:
        """Each chat once."""
        return sorted(set(self._chats))

    @property
    def accepted(self) -> list[Attempt]:
        """What was answered 201."""
        return [attempt for attempt in self.journal if attempt.is_accepted]

    @property
    def failed(self) -> list[Attempt]:
        """What was not."""
        return [attempt for attempt in self.journal if not attempt.is_accepted]

    def by_client(self) -> Mapping[int, list[Attempt]]:
        """The journal of each client, in the order of sending."""
        by_client: defaultdict[int, list[Attempt]] = defaultdict(list)
        for attempt in self.journal:
            by_client[attempt.client].append(attempt)
        return by_client

    def write(self, each: int) -> None:
        """Every client writes so many messages without a pause, all of which are accepted."""
        before = len(self.accepted)
        with ThreadPoolExecutor(len(self._chats)) as pool:
            list(pool.map(lambda client: self._write(client, each), range(len(self._chats))))
        assert len(self.accepted) - before == each * len(self._chats), self.failed

    def _write(self, client: int, how_many: int) -> None:
        with Client() as http:
            for body in islice(self._bodies[client], how_many):
                self._send(http, client, body)

    @contextmanager
    def running(self) -> Iterator[None]:
        """All clients write while the block runs, and they have begun."""
        end = Event()
        with ThreadPoolExecutor(len(self._chats)) as pool:
            futures = [
                pool.submit(self._write_until, end, client) for client in range(len(self._chats))
            ]
            try:
                self.goes_on()
                yield
            finally:
                end.set()
        for future in futures:
            future.result()

    def _write_until(self, end: Event, client: int) -> None:
        with Client() as http:
            for body in self._bodies[client]:
                is_accepted = self._send(http, client, body)
                if end.wait(PAUSE_SECONDS if is_accepted else PAUSE_AFTER_FAILURE_SECONDS):
                    return

    def _send(self, http: Client, client: int, number: int) -> bool:
        chat, body = self._chats[client], f"{self._name} {client} {number}"
        sent_at = time.monotonic()
        answer = http.send("POST", chat.messages, {"body": body})
        is_accepted = answer.status == 201
        attempt = Attempt(
            client, chat, body, sent_at, time.monotonic(), answer.status,
            answer.document["message_number"] if is_accepted else 0, answer.retry_after,
        )  # fmt: skip
        self.journal.append(attempt)
        return is_accepted

    def goes_on(self, within: float = 20) -> None:
        """Return when each client has had a message accepted that it sent from now on."""
        now, clients = time.monotonic(), set(range(len(self._chats)))
        until(
            lambda: clients == {done.client for done in self.accepted if done.sent_at > now},
            "each client gets a message accepted",
            within,
        )

    def longest_wait(self) -> float:
        """The longest time that a client was without a 201 while it wrote, in seconds."""
        waits = [0.0]
        for attempts in self.by_client().values():
            accepted = [attempt.answered_at for attempt in attempts if attempt.is_accepted]
            waits += [later - earlier for earlier, later in pairwise(accepted)]
        return max(waits)
