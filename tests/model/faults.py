"""Faults, recoveries and delays between the clients' actions.

The rules never break more at once than the promises allow: Redis and the broker do not both lose
rows that only the other one has.
"""

from io import StringIO
from typing import Any

from django.core.management import call_command
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from infra.redis_client import RedisUnavailable
from ingest.sweeper import sweep
from operations import counts
from tests.model.clients import Clients, Writes, keys, picks, texts, writes
from tests.model.promises import Item, Repeatable
from tests.model.queues import KINDS
from tests.model.services import PROCESSES, Services, database_gives_numbers
from tests.model.stored import is_stored

kinds = st.sampled_from(KINDS)
processes = st.integers(0, PROCESSES - 1)


def broker_is_there(machine: "Faults") -> bool:
    return not machine.broker_is_away


def redis_is_there(machine: "Faults") -> bool:
    return not machine.redis_is_away


class Faults(Clients):
    """With Redis, a broker and an index, of which each may be away, and workers that may rest."""

    def __init__(self, services: Services) -> None:
        services.end()
        super().__init__()
        self.services = services
        services.begin()
        self.redis_is_away = False
        self.broker_is_away = False
        self.worker_runs = False
        self.somebody_was_killed = False
        #: Rows that are not stored have their only copy here.
        self.only_in_queue = False
        self.only_in_redis = False
        #: Until a sweep finds that nothing from before the last fault is queued any more.
        self.in_doubt = False
        self.is_open = False
        self.lost: list[Item] = []

    # What is permitted just now.

    def may_wait(self, item: Item) -> bool:
        return (self.redis_is_away or item.is_lost) and not is_stored()(item)

    def may_be_refused(self, parent: Item) -> bool:
        if is_stored()(parent):
            return False
        return self.redis_is_away or parent.is_lost or database_gives_numbers()

    def may_be_open(self) -> bool:
        return self.is_open

    def may_doubt(self, parent: Item, *, far: bool) -> bool:
        # What could have been given is known of those only that are stored.
        in_doubt = self.redis_is_away or self.in_doubt
        return in_doubt and (not far or not is_stored()(parent))

    def may_be_undecided(self, request: Repeatable) -> bool:
        # A row of it may be queued, and Redis may not know its key.
        is_queued = self.broker_is_away or self.services.queues.is_waiting()
        return bool(request.key) and self.in_doubt and is_queued

    def may_be_forgotten(self, request: Repeatable) -> bool:
        # Only Redis has its rows, and cannot be asked.
        is_unseen = self.redis_is_away or database_gives_numbers()
        stored = is_stored()
        return self.only_in_redis and is_unseen and not any(map(stored, request.items))

    def watched(self) -> list[Item]:
        # What may be denied most easily; until it is stored.
        if self.lost:
            unstored = self.unstored()
            self.lost = [item for item in self.lost if item in unstored]
        return [*super().watched(), *self.lost[-2:]]

    def is_found(self, item: Item) -> bool:
        return item.indexed == item.text

    def unstored(self) -> list[Item]:
        """The promised items that are not in their tables yet."""
        stored = is_stored()
        return [item for item in self.items() if not stored(item)]

    # Redis.

    @rule(
        said=writes,
        how=st.sampled_from(["flushed", "wiped", "put back"]),
        again=st.lists(picks, max_size=3),
    )
    def redis_loses_data(self, said: Writes, how: str, again: list[int]) -> None:
        self.say(said)
        if self.only_in_redis and not self.redis_is_away:
            self.sweep(after_a_rest=True)  # the minute between two losses
        if self.only_in_redis:
            return
        unstored = self.unstored()
        for item in unstored:
            item.is_lost = True
        self.lost = unstored
        self.only_in_queue |= bool(unstored)
        self._redis_is_doubtful()
        self._lose_data(how)
        for pick in again:
            self.repeat(pick)

    def _lose_data(self, how: str) -> None:
        if how == "flushed":
            self.services.redis.client().flushall()
            return
        if how == "wiped":
            self.services.redis.wipe_at_once()
        else:
            self.services.redis.put_back_snapshot()
        self.services.redis_way.cut()

    @rule()
    def redis_is_copied(self) -> None:
        self.services.redis.take_snapshot()

    @rule()
    def redis_restarts(self) -> None:
        was_dense = self.is_dense and not self.somebody_was_killed
        self._redis_is_doubtful()
        self.is_dense = was_dense
        self.services.redis.restart_at_once()
        self.services.redis_way.cut()

    @precondition(redis_is_there)
    @rule(said=writes)
    def redis_goes_away(self, said: Writes) -> None:
        self.say(said)
        self.redis_is_away = True
        self._redis_is_doubtful()
        self.services.redis_way.close()

    @precondition(lambda self: self.redis_is_away)
    @rule(gives_numbers=st.booleans())
    def redis_returns(self, gives_numbers: bool) -> None:
        self.services.redis_way.open()
        self.services.await_redis()
        self.redis_is_away = False
        if gives_numbers:
            self.services.await_numbers_of_redis()

    @precondition(redis_is_there)
    @rule(pick=picks, body=texts, key=keys)
    def an_answer_of_redis_is_lost(self, pick: int, body: str, key: str | None) -> None:
        chat = self.a_chat(pick)
        if not chat:
            return
        self._redis_is_doubtful()
        self.services.redis_way.lose_next_answer()
        self.is_open = True
        self._create(chat, [body], key)
        self.is_open = False
        # Its number is explained by nothing else, should it be lost.
        self.only_in_redis = True
        self.services.redis_way.lose_nothing()
        self.services.await_redis()

    @rule(said=writes)
    def new_epoch(self, said: Writes) -> None:
        self.say(said)
        self._redis_is_doubtful()
        call_command("new_epoch", reason="a test", stdout=StringIO())

    def _redis_is_doubtful(self) -> None:
        self.in_doubt = True
        self.is_dense = False

    # The broker.

    @precondition(broker_is_there)
    @rule()
    def broker_goes_away(self) -> None:
        self.broker_is_away = True
        self.services.broker_way.close()

    @precondition(lambda self: self.broker_is_away)
    @rule()
    def broker_returns(self) -> None:
        self.services.broker_way.open()
        self.services.await_broker()
        self.broker_is_away = False

    @precondition(broker_is_there)
    @rule(pick=picks, body=texts, key=keys)
    def a_confirm_of_the_broker_is_lost(self, pick: int, body: str, key: str | None) -> None:
        chat = self.a_chat(pick)
        if not chat:
            return
        self.services.broker_way.lose_next_answer()
        self._create(chat, [body], key)
        self.services.broker_way.lose_nothing()
        self.services.await_broker()

    @rule(said=writes)
    def broker_loses_data(self, said: Writes) -> None:
        self.say(said)
        if self.only_in_queue and not self.broker_is_away:
            self.worker_stores_all()  # likewise
        if self.only_in_queue:
            return
        self.only_in_redis |= bool(self.unstored())
        self.services.queues.purge()

    # Workers and the sweeper.

    @precondition(broker_is_there)
    @rule(kind=kinds)
    def worker_stores_one(self, kind: str) -> None:
        self.services.queues.deliver(kind, alone=True)

    @precondition(broker_is_there)
    @rule()
    def worker_stores_all(self) -> None:
        self.services.queues.deliver_all()
        self.only_in_queue = False

    @precondition(broker_is_there)
    @rule(kind=kinds)
    def worker_dies_before_it_acknowledges(self, kind: str) -> None:
        self.services.queues.deliver(kind, again=True)

    @precondition(broker_is_there)
    @rule(pick=picks)
    def message_comes_again(self, pick: int) -> None:
        self.services.queues.publish_again(pick)

    @rule(runs=st.booleans())
    def worker_starts_or_stops(self, runs: bool) -> None:
        self.worker_runs = runs

    @invariant()
    def a_running_worker_stores_all(self) -> None:
        if self.worker_runs and not self.broker_is_away:
            self.worker_stores_all()

    @rule(after_a_rest=st.booleans())
    def sweep(self, after_a_rest: bool) -> None:
        if after_a_rest:
            self.services.rest()
        try:
            swept = sweep()
        except RedisUnavailable:
            assert self.redis_is_away
            return
        assert swept.set_aside == 0
        if swept.is_complete and swept.left == 0:
            self.only_in_redis = False
        self.in_doubt = not swept.is_drained or database_gives_numbers()

    @rule()
    def reconcile_counts(self) -> None:
        counts.reconcile()
        if not self.redis_is_away:
            self.check_counts()

    @rule()
    def index(self) -> None:
        self.services.index.keep_up()
        stored = is_stored()
        for item in self.items():
            if item.holds is None and stored(item):
                item.indexed = item.text

    # Processes.

    @rule(process=processes)
    def another_process_answers(self, process: int) -> None:
        self.services.turn_to(process)

    @rule(process=processes, killed=st.booleans())
    def process_is_replaced(self, process: int, killed: bool) -> None:
        self.somebody_was_killed |= killed
        self.services.replace(process, killed=killed)

    # The end.

    def heal(self) -> None:
        self.services.open_ways()
        self.services.await_numbers_of_redis()
        self.services.queues.deliver_all()
        self.services.rest()
        swept: Any = sweep()
        assert (swept.left, swept.set_aside, swept.is_drained) == (0, 0, True)
        self.services.index.keep_up()
        counts.reconcile()
