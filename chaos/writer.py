"""One client of the load. It waits for each response, and reads and edits only its own rows.

So the order of its requests is known, and each read can be compared with its earlier writes.
"""

import random
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chaos.client import Client
from chaos.journal import Attempt, attempt
from chaos.parent import Parent
from chaos.requests import Kind, Request, name_in

#: The kinds of requests and their relative weights.
Mix = Mapping[Kind, int]

#: A client's timeout, longer than the servers ever take.
ANSWER_SECONDS = 15.0
#: The client number for requests outside of the load.
NOBODY = -1
REMEMBERED_ROWS = 40
REMEMBERED_CHATS = 3
BULK_ROWS = (2, 20)


@dataclass
class Mine:
    """A row that this client created. `is_settled`: no edit has an unknown outcome."""

    parent: Parent
    number: int
    name: str
    is_settled: bool = True
    edits: int = 0


class Writer:
    """Writes to `home` and to chats it creates. A text is a name and one of `tails`."""

    def __init__(
        self, number: int, load: str, home: Parent, mix: Mix, tails: Sequence[str], *, keyed: bool
    ) -> None:
        self.number = number
        self._load = load
        self._home = home
        self._kinds, self._weights = zip(*mix.items(), strict=True)
        self._tails = tails
        self._keyed = keyed
        self._chance = random.Random(f"{load} {number}")
        self._made = 0
        self._chats: deque[Parent] = deque(maxlen=REMEMBERED_CHATS)
        self._mine: deque[Mine] = deque(maxlen=REMEMBERED_ROWS)

    def turn(self, http: Client) -> Attempt:
        """Send one random request; return the attempt."""
        [kind] = self._chance.choices(self._kinds, self._weights)
        mine = self._one_of_mine(kind)
        if mine is None and kind in {Kind.EDIT, Kind.READ, Kind.LIST}:
            kind = Kind.MESSAGE
        done = send(http, self.number, self._request(kind, mine))
        self._learn(done, mine)
        return done

    def _request(self, kind: Kind, mine: Mine | None) -> Request:
        if kind is Kind.SEARCH:
            return Request(kind, self._home, (self._load,))
        if mine is None:
            return self._create(kind)
        texts: tuple[str, ...] = ()
        if kind is Kind.EDIT:
            mine.edits += 1
            texts = (f"{mine.name} edit-{mine.edits} {self._tail(mine.parent)}",)
        return Request(kind, mine.parent, texts, mine.number)

    def _create(self, kind: Kind) -> Request:
        parent = Parent(self._home.token) if kind is Kind.CHAT else self._any_chat()
        count = self._chance.randint(*BULK_ROWS) if kind is Kind.BULK else 1
        self._made += 1
        name = f"{self._load}-{self.number}-{self._made}"
        names = [f"{name}.{place}" for place in range(count)] if kind is Kind.BULK else [name]
        texts = tuple(f"{each} {self._tail(parent)}" for each in names)
        return Request(kind, parent, texts, key=name if self._keyed else "")

    def _learn(self, done: Attempt, mine: Mine | None) -> None:
        if done.is_accepted:
            self._mine += [Mine(row.parent, row.number, name_in(row.text)) for row in done.rows]
            if done.request.kind is Kind.CHAT:
                self._chats.append(done.request.parent.child(done.number))
        elif mine and done.request.kind is Kind.EDIT and not done.is_success:
            mine.is_settled = False

    def _one_of_mine(self, kind: Kind) -> Mine | None:
        """A row of this client, or None. Prefer the newest, which is most likely pending."""
        if kind not in {Kind.EDIT, Kind.READ, Kind.LIST}:
            return None
        mine = [one for one in self._mine if one.is_settled or kind is not Kind.EDIT]
        if not mine:
            return None
        return mine[-1] if self._chance.random() < 0.5 else self._chance.choice(mine)

    def _any_chat(self) -> Parent:
        if self._chats and self._chance.random() < 0.3:
            return self._chance.choice(self._chats)
        return self._home

    def _tail(self, parent: Parent) -> str:
        tail = self._chance.choice(self._tails)
        # The server trims and limits names; it keeps bodies unchanged.
        return tail if parent.number else tail[:40].strip() + "."


def send(http: Client, client: int, request: Request, *, is_repeat: bool = False) -> Attempt:
    """Send a request. Resend it once if its connection was closed and that is safe."""
    sent_at, sent = time.time(), 1
    answer = http.send(request.method, request.path, request.document, request.headers)
    if answer.is_closed and (request.key or not request.creates):
        sent = 2
        answer = http.send(request.method, request.path, request.document, request.headers)
    times = sent_at, time.time()
    return attempt(client, request, answer, times, sent=sent, is_repeat=is_repeat)
