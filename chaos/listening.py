"""Listeners during a case: cut at random, they must end up with exactly the log, in order."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from threading import Event, Thread
from typing import Self

from chaos.database import query
from chaos.errors import ChaosError
from chaos.evidence import Sort, Stored, Violation
from chaos.listener import Listener
from chaos.parent import APPLICATION, Parent
from chaos.waiting import until

_CUT_EVERY_SECONDS = 0.5
_HEARD_WITHIN_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An item of an event; `created` is the row that the event made, if it made one."""

    id: str
    chat_number: int | None
    created: tuple[Parent, int] | None


def read_log(token: str) -> Sequence[LogEntry]:
    """The log of an application as it is in the table."""
    events = (
        "SELECT event_number, type, chat_number, first_number, last_number FROM events"
        " WHERE application_token=%s ORDER BY event_number"
    )
    return [
        LogEntry(_id(number, at, last - first), chat, _created(kind, token, chat, first + at))
        for number, kind, chat, first, last in query(events, token)
        for at in range(last - first + 1)
    ]


def _id(number: int, at: int, last: int) -> str:
    return str(number) if at == last else f"{number}.{at + 1}"


def _created(kind: str, token: str, chat: int | None, number: int) -> tuple[Parent, int] | None:
    if kind == "chat.created" and chat is not None:
        return Parent(token), chat
    if kind == "message.created" and chat is not None:
        return Parent(token, chat), number
    return None


class Listeners:
    """Some for each application and chat; a thread cuts one of them twice a second."""

    def __init__(
        self, chats: Iterable[Parent], of_each_application: int, of_each_chat: int
    ) -> None:
        random = Random()
        chats = sorted(set(chats))
        applications = sorted({Parent(chat.token) for chat in chats})
        self._random = random
        self._end = Event()
        self._cutter = Thread(target=self._cut_now_and_then, daemon=True)
        self._listeners = [
            (parent, _listener(parent))
            for parents, count in ((applications, of_each_application), (chats, of_each_chat))
            for parent in parents
            for _ in range(count)
        ]

    def __enter__(self) -> Self:
        for _, listener in self._listeners:
            listener.start()
        self._cutter.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_cutting()
        for _, listener in self._listeners:
            listener.stop()

    @property
    def resumed(self) -> int:
        """How often a stream was opened again."""
        return sum(max(listener.connects - 1, 0) for _, listener in self._listeners)

    def violations(self) -> list[Violation]:
        """What a listener missed, made up or got out of order. Call it when all is stored."""
        self._stop_cutting()
        found: list[Violation] = []
        logs = {parent.token: read_log(parent.token) for parent, _ in self._listeners}
        for parent, listener in self._listeners:
            expected = expected_ids(logs[parent.token], parent)
            # If it does not hear everything, the comparison says what is missing.
            with suppress(ChaosError):
                until(
                    lambda: listener.heard >= len(expected),  # noqa: B023 - called at once
                    "a listener has heard everything",
                    _HEARD_WITHIN_SECONDS,
                )
            found += heard_otherwise(parent, expected, listener.ids)
        return found

    def _stop_cutting(self) -> None:
        self._end.set()
        if self._cutter.is_alive():
            self._cutter.join()

    def _cut_now_and_then(self) -> None:
        while not self._end.wait(_CUT_EVERY_SECONDS):
            _, listener = self._random.choice(self._listeners)
            listener.cut()


def _listener(parent: Parent) -> Listener:
    of_chat = f"/chats/{parent.number}" if parent.number else ""
    path = f"/applications/{parent.token}{of_chat}/stream"
    return Listener(os.environ["BASE_URL"], path, after="0", keeps_ids_only=True)


def expected_ids(log: Iterable[LogEntry], parent: Parent) -> list[str]:
    """The ids that a listener of this application or chat has to hear, in order."""
    return [entry.id for entry in log if parent.number in (APPLICATION, entry.chat_number)]


def heard_otherwise(
    parent: Parent, expected: Sequence[str], heard: Sequence[str]
) -> Iterator[Violation]:
    """Compare the ids that were heard with the expected ones."""
    missing, invented = set(expected) - set(heard), set(heard) - set(expected)
    for sort, ids in ((Sort.UNHEARD, missing), (Sort.INVENTED, invented)):
        for one in sorted(ids):
            yield Violation(sort, f"{parent}: event {one}")
    if not missing and not invented and list(expected) != list(heard):
        at = next(place for place, one in enumerate(expected) if heard[place] != one)
        yield Violation(Sort.UNORDERED, f"{parent}: {heard[at]} in place of {expected[at]}")


def log_differs(texts: Stored) -> list[Violation]:
    """Rows without exactly one event of their creation, and such events without a row."""
    tokens = sorted({parent.token for parent in texts})
    return [one for token in tokens for one in compare_log(token, read_log(token), texts)]


def compare_log(
    token: str, log: Iterable[LogEntry], texts: Mapping[Parent, Mapping[int, str]]
) -> Iterator[Violation]:
    """The same for one application."""
    created = Counter(entry.created for entry in log if entry.created)
    stored = {
        (parent, number)
        for parent, rows in texts.items()
        if parent.token == token
        for number in rows
    }
    for parent, number in sorted(stored - created.keys()):
        yield Violation(Sort.UNHEARD, f"{parent} {number} has no event")
    for (parent, number), count in sorted(created.items()):
        if (parent, number) not in stored:
            yield Violation(Sort.INVENTED, f"{parent} {number} has an event and no row")
        elif count > 1:
            yield Violation(Sort.INVENTED, f"{parent} {number} has {count} events")
