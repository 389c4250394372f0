"""Rounds in which the things compared take turns, each on a machine that has nothing left to do.

The order turns around with each round, so that nothing always follows the same neighbor. Only
ratios within one run say something about speed: the rest depends on the machine.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from bench import BenchError
from bench.processes import wait_until
from bench.product import Chat, Database, await_complete, backlog, new_chat
from bench.wrk import Keys, Load, load

_WARM_UP_SECONDS = 3.0
_SETTLE_SECONDS = 300.0
_STEADY_SECONDS = 1.0
_LOOK_SECONDS = 0.25

Result = TypeVar("Result")


def interleave(
    measures: Mapping[str, Callable[[], Result]], rounds: int, warm_ups: int = 0
) -> dict[str, list[Result]]:
    """Call each measure once a round; returns their results by name, without the warm-ups."""
    results: dict[str, list[Result]] = {name: [] for name in measures}
    for number in range(-warm_ups, rounds):
        for name in list(measures)[:: -1 if number % 2 else 1]:
            result = measures[name]()
            if number >= 0:
                results[name].append(result)
    return results


def nothing_left() -> int:
    """The backlog of a target that has none, or whose own is not waited for."""
    return 0


@dataclass
class Target:
    """A server's URL, the requests that it gets, and how to see the work that these leave behind.

    Without `rows_in_table` the requests create nothing. `backlog` counts what else is left to do.
    """

    name: str
    url: str
    requests: Path
    connections: int
    rows_in_table: Callable[[], int] | None = None
    backlog: Callable[[], int] = nothing_left
    keys: Keys | None = None
    only_creates: bool = True
    """Whether each request creates a row, if any does."""
    served_by: str = ""
    """The server that was chosen for it, in words."""
    answered: int = 0
    """Requests answered so far."""
    unknown: int = 0
    """Requests so far whose outcome wrk did not see."""

    def send(self, seconds: float, rate: float = 0, connections: int = 0) -> Load:
        """Send load, then wait until all that it caused is done."""
        before = self.rows()
        seen = self.send_without_waiting(seconds, rate, connections)
        self.settle(before + seen.answered if self.only_creates else 0)
        return seen

    def send_without_waiting(self, seconds: float, rate: float = 0, connections: int = 0) -> Load:
        """Send load. Rows may be left to be stored."""
        before, clients = self.rows(), connections or self.connections
        send = partial(load, self.url, self.requests, connections=clients, keys=self.keys)
        seen = send(seconds=seconds, rate=rate)
        self.answered += seen.answered
        self.unknown += clients + seen.broken + seen.refused
        return replace(seen, stored=self.rows() - before)

    def rows(self) -> int:
        """Rows in its table, 0 if it creates none."""
        return self.rows_in_table() if self.rows_in_table else 0

    def settle(self, at_least: int) -> None:
        """Wait until `at_least` rows are stored, no more come, and the backlog is empty.

        Raises BenchError after 300 s.
        """
        deadline = time.monotonic() + _SETTLE_SECONDS
        rows, since = self.rows(), time.monotonic()
        while self.rows_in_table and (
            rows < at_least or time.monotonic() - since < _STEADY_SECONDS
        ):
            if time.monotonic() > deadline:
                raise BenchError(f"{self.name} stored {rows} rows of {at_least} it accepted")
            time.sleep(_LOOK_SECONDS)
            if (now := self.rows()) != rows:
                rows, since = now, time.monotonic()
        left = max(deadline - time.monotonic(), 0)
        wait_until(lambda: not self.backlog(), left, f"the backlog of {self.name} is empty")


def product_target(
    name: str,
    base_url: str,
    database: Database,
    requests: Path,
    connections: int,
    keys_prefix: str | None = None,
) -> tuple[Target, Chat]:
    """A new chat of the product that serves there, as a target; with keys if there is a prefix."""
    chat = new_chat(base_url)
    keys = None if keys_prefix is None else Keys(chat.key, keys_prefix)
    target = Target(
        name,
        base_url + chat.messages_path,
        requests,
        connections,
        rows_in_table=partial(chat.count, database),
        backlog=partial(backlog, database),
        keys=keys,
    )
    return target, chat


def alternate(
    targets: Sequence[Target], *, seconds: float, rounds: int, rates: Mapping[str, float] = {}
) -> dict[str, list[Load]]:
    """Warm up each target, then load them in turns; `rates` bound the requests a second by name."""
    for target in targets:
        target.send(min(_WARM_UP_SECONDS, seconds / 2), rates.get(target.name, 0))
    loads = {one.name: partial(one.send, seconds, rates.get(one.name, 0)) for one in targets}
    return interleave(loads, rounds)


def verify(database: Database, chat: Chat, target: Target) -> dict[str, int]:
    """Raise BenchError unless the chat holds what the target answered, numbered 1 to N.

    wrk does not show the numbers that it was given, so they are judged as a whole. Requests whose
    outcome wrk did not see may be stored or not.
    """
    await_complete(database, chat)
    stored = chat.count(database)
    print(
        f"{target.name}: {target.answered} answered 201, {stored} stored with numbers 1 to"
        f" {stored}; of {target.unknown} the outcome is unknown"
    )
    if not target.answered <= stored <= target.answered + target.unknown:
        raise BenchError("the stored rows do not match the answers")
    return {"answered": target.answered, "stored": stored, "unknown": target.unknown}
