"""Runs actors step by step, in an order drawn from a seed.

An actor may be paused or killed between any two steps while the others continue. An actor that
waits for another's lock stays blocked, as in reality.
"""

import random
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Semaphore, Thread, local
from typing import Any

import pytest
from django.db import connection

_here = local()


class Killed(BaseException):
    """The actor's process was killed."""


class Actor:
    """A simulated process: a thread that pauses at every step until `go_on`."""

    def __init__(self, play: Callable[[], None], die: Callable[[], None]) -> None:
        self._play = play
        self._die = die
        self._go = Semaphore(0)
        self._arrived = Event()
        self._is_killed = False
        self.failure: BaseException | None = None
        self.thread = Thread(target=self._run, daemon=True)
        self.thread.start()

    @property
    def is_done(self) -> bool:
        """Whether its thread has ended."""
        return not self.thread.is_alive()

    def go_on(self, within: float = 0.1) -> None:
        """Run one step; return after it, or after `within` seconds if the actor is blocked."""
        self._arrived.clear()
        self._go.release()
        self._arrived.wait(within)

    def kill(self) -> None:
        """Kill the actor at its current step."""
        self._is_killed = True
        self.go_on()

    def step(self) -> None:
        """Pause between two steps; the actor itself calls this. Raises Killed."""
        if not self._is_killed:
            self._arrived.set()
            self._go.acquire()
        if self._is_killed:
            raise Killed

    def _run(self) -> None:
        _here.actor = self
        try:
            self.step()
            self._play()
        except Killed:
            self._die()
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.failure = error
        finally:
            # A killed process' connections are closed by its kernel, and its locks are free then.
            connection.close()
            self._arrived.set()


def step() -> None:
    """Mark a place where an actor may be paused or killed."""
    if actor := getattr(_here, "actor", None):
        actor.step()


def with_steps(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, after: Callable[[], None] = step
) -> None:
    """Make a function one step: the actor pauses before and after it."""
    real = getattr(owner, name)

    def stepwise(*arguments: Any, **named: Any) -> Any:
        step()
        result = real(*arguments, **named)
        after()
        return result

    monkeypatch.setattr(owner, name, stepwise)


def perform(actors: list[Actor], draw: random.Random, events: list[Callable[[], None]]) -> None:
    """Run the actors in a drawn order until all are done; each event happens at most once."""
    waiting = [*events]
    steps = 0
    while standing := [actor for actor in actors if not actor.is_done]:
        steps += 1
        assert steps < 20_000, "the actors go round in circles"
        if waiting and draw.random() < 0.03:
            waiting.pop()()
        draw.choice(standing).go_on()
    for actor in actors:
        with suppress(RuntimeError):
            actor.thread.join(10)
        if actor.failure:
            raise actor.failure
