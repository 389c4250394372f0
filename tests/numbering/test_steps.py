"""Numbers stay unique and gapless wherever processes pause, die or lose a response."""

import random
from collections import defaultdict
from collections.abc import Callable

import orjson
import pytest
from django.db import OperationalError

from applications.services import create_application
from ingest import redis_keys
from ingest.models import NumberSkip
from ingest.numbering import fencing, leases
from ingest.numbering.redis_calls import RoundTrip
from ingest.records import NewRow
from tests.numbering.processes import Process, number_of
from tests.numbering.stage import Actor, perform, step, with_steps
from tests.redis_server import RedisServer
from tests.rows import new_chat

pytestmark = [pytest.mark.stack, pytest.mark.django_db(transaction=True)]

PROCESSES = 4
GROUPS = 6

Given = dict[tuple[str, int], str]


class Run:
    """Processes that take numbers of two applications, and all that they were answered."""

    def __init__(self, seed: int, server: RedisServer) -> None:
        self.draw = random.Random(seed)
        self.server = server
        self.tokens = [create_application(name=f"{seed}").token for _ in range(2)]
        self.given: Given = {}
        self.processes = [Process() for _ in range(PROCESSES)]
        self.plans = [[self._plan() for _ in range(GROUPS)] for _ in range(PROCESSES)]

    def perform(self, *events: Callable[[], None], kills: int = 0) -> None:
        """All processes send their groups."""
        actors = [
            Actor(lambda p=p, plan=plan: self._play(p, plan), p.kill)  # type: ignore[misc]
            for p, plan in zip(self.processes, self.plans, strict=True)
        ]
        deaths = [actor.kill for actor in self.draw.sample(actors, kills)]
        try:
            perform(actors, self.draw, [*events, *deaths])
        finally:
            for process in self.processes:
                process.end()

    def numbers(self, token: str) -> list[int]:
        """All numbers of an application that were answered, or given without an answer."""
        pending = self.pending()
        for key, acceptance in pending.items():
            assert self.given.get(key, acceptance) == acceptance, f"{key} was given twice"
        return sorted(number for of, number in {**pending, **self.given} if of == token)

    def pending(self) -> Given:
        """The pending rows in Redis."""
        client = self.server.client()
        found: Given = {}
        for token in self.tokens:
            for member in client.zrange(redis_keys.pending(token), 0, -1):
                assert isinstance(member, bytes)
                number, _, payload = member.split(b" ", 2)
                found[token, int(number)] = orjson.loads(payload)[1]
        return found

    def _plan(self) -> list[NewRow]:
        return [
            new_chat(self.draw.choice(self.tokens), "c") for _ in range(self.draw.randint(1, 70))
        ]

    def _play(self, process: Process, plan: list[list[NewRow]]) -> None:
        last: defaultdict[str, int] = defaultdict(int)
        for rows in plan:
            for row, outcome in zip(rows, process.commit(rows), strict=True):
                if isinstance(outcome, Exception):
                    continue
                token, number = str(row.parent[0]), number_of(outcome)
                assert (token, number) not in self.given, f"{number} was given twice"
                assert number > last[token], f"{number} came after {last[token]}"
                self.given[token, number] = row.acceptance
                last[token] = number


@pytest.fixture(autouse=True)
def steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand still around each command to Redis and each transaction; be quick with the rest."""
    with_steps(monkeypatch, RoundTrip, "send")
    with_steps(monkeypatch, RoundTrip, "read")
    with_steps(monkeypatch, leases, "ceilings_of")
    with_steps(monkeypatch, leases, "acquire_leases")
    with_steps(monkeypatch, fencing, "request_reports")
    with_steps(monkeypatch, fencing, "lock_authority")
    monkeypatch.setattr(fencing, "REDIS_EXAMINATION_SECONDS", 0.5)
    monkeypatch.setattr(fencing, "REDIS_SILENCE_SECONDS", 0.5)
    monkeypatch.setattr("ingest.commit.REDIS_DECISION_SECONDS", 1.0)
    monkeypatch.setattr("ingest.numbering.agent.TICK_SECONDS", 0.05)


@pytest.fixture
def lost_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every third lease is committed, and the database's answer is lost."""
    taken = 0

    def after() -> None:
        nonlocal taken
        step()
        taken += 1
        if taken % 3 == 0:
            raise OperationalError(2013, "Lost connection to server during query")

    with_steps(monkeypatch, leases, "acquire_leases", after)


@pytest.mark.parametrize("seed", range(8))
def test_processes_that_stand_still_and_die_leave_no_gap(
    redis_server: RedisServer, seed: int
) -> None:
    run = Run(seed, redis_server)
    run.perform(kills=seed % PROCESSES)
    for token in run.tokens:
        numbers = run.numbers(token)
        assert numbers == list(range(1, len(numbers) + 1))
    assert not NumberSkip.objects.exists()


@pytest.mark.parametrize("seed", range(6))
def test_commits_whose_answer_was_lost_leave_no_gap(
    redis_server: RedisServer, lost_answers: None, seed: int
) -> None:
    run = Run(seed, redis_server)
    run.perform(kills=1)
    for token in run.tokens:
        numbers = run.numbers(token)
        assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("seed", range(12))
def test_no_number_is_given_twice_whatever_becomes_of_redis(
    redis_server: RedisServer, seed: int
) -> None:
    run = Run(seed, redis_server)
    events = [redis_server.take_snapshot, redis_server.restart_at_once]
    events += [redis_server.put_back_snapshot] * (seed % 3)
    events += [redis_server.wipe_at_once] * (seed % 2)
    run.perform(*reversed(events), kills=seed % 2)
    assert run.given
    for token in run.tokens:
        run.numbers(token)
