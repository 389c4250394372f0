"""The numbers that Redis gives: a block for each parent, and a script for what is done to it."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache, partial
from hashlib import sha1
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from infra.logs import Event, get_logger
from infra.redis_client import RedisUnavailable, Server, Shard, server_of
from infra.timeouts import REDIS_ANSWER_SECONDS
from ingest import redis_keys
from ingest.models import Generation, NumberAuthority, Report
from ingest.numbering.errors import (
    AuthorityChanged,
    NoNumbers,
    NumbersUnavailable,
    Unanswered,
    UnderExamination,
    Untrusted,
)
from ingest.numbering.redis_calls import RoundTrip
from ingest.records import Lease

logger = get_logger(__name__)

Answer = TypeVar("Answer")

_FOLDER = Path(__file__).parent
#: The scripts by name, as their files are composed. All begin with the same checks.
_SOURCES = {
    name: "".join((_FOLDER / f"{part}.lua").read_text() for part in ("blocks_head", name))
    for name in ("blocks", "idle_blocks")
}
_CLUSTER_HEAD = (_FOLDER / "cluster_head.lua").read_text()

#: How long idempotent requests are remembered.
REMEMBERED_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class Block:
    """The next number that Redis gives, and the last one that it may give."""

    next: int
    last: int


@dataclass(frozen=True, slots=True)
class RequestNumbers:
    """One request for consecutive numbers of its rows; `record` is kept under its `key`."""

    payloads: Sequence[bytes]
    key: str = ""
    record: str = ""


@dataclass(frozen=True, slots=True)
class BlockDemand:
    """The requests to one parent; `child_lease` is the first lease of rows that are parents."""

    parent: str
    requests: Sequence[RequestNumbers]
    child_lease: int = 0


@dataclass(frozen=True, slots=True)
class KnownRequest:
    """A repeated request: its first number, its record, and its rows that are still pending."""

    first: int
    record: str
    pending: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class BlockAnswer:
    """Whether the block runs low, and each request's answer: None if it has too few numbers."""

    runs_low: bool
    requests: Sequence[int | KnownRequest | None]


@cache
def scripts(shard: Shard, generation: Generation) -> Mapping[str, str]:
    """The scripts of a generation, by name; each shard has its own."""
    first = f"local EPOCH = {generation.epoch} -- trusted for time {generation.trust}\n"
    if shard.tag:
        first += f"-- for shard {shard.number} alone\n{_CLUSTER_HEAD}"
    return {name: first + source for name, source in _SOURCES.items()}


@cache
def script_digests(shard: Shard, generation: Generation) -> Mapping[str, str]:
    """The digests by which a server knows the scripts, by name."""
    return {
        name: sha1(script.encode()).hexdigest()  # noqa: S324 - Redis' choice
        for name, script in scripts(shard, generation).items()
    }


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of a script on these keys; it looks up the further ones."""

    name: str
    keys: Sequence[str]
    arguments: Sequence[Any]
    script: str = "blocks"
    looked_up: Sequence[str] = ()


class Blocks:
    """This process's access to the blocks of a shard, one call at a time.

    `fence` is the highest one that any call has seen. While `calling` is held it does not change.

    Once it was reported for an examination, no call is made until that is decided. Otherwise a
    process that still reaches the server from before a failover could take numbers there that its
    successor, which is trusted by then, gives too.
    """

    def __init__(self, shard: Shard) -> None:
        self.shard = shard
        self.calling = Lock()
        self.fence = 0
        self._clock_ahead = 0.0
        self._question = 0
        self._suspended_since: float | None = None
        self._generation: Generation | None = None

    @property
    def suspended_seconds(self) -> float:
        """For how long calls have been suspended."""
        since = self._suspended_since
        return 0.0 if since is None else time.monotonic() - since

    def report_for(self, question: int) -> Report:
        """What is to be reported for this examination; calls are suspended if it is a new one."""
        with self.calling:
            if question > self._question:
                # Old connections may lead to a server that lives on beside the one being verified.
                self._disconnect()
                self._question, self._suspended_since = question, time.monotonic()
            return Report(self.fence, self._question)

    def learn(self, authority: NumberAuthority) -> None:
        """Go on with the present generation if the examination is decided."""
        with self.calling:
            if authority.examined >= self._question:
                self._generation, self._suspended_since = authority.generation, None

    def open_all(self, generation: Generation, ceilings: Mapping[str, int]) -> Mapping[str, Block]:
        """The block of each parent; an unknown one is opened, empty, above its ceiling."""
        operations = [
            Operation("open", [redis_keys.block(parent)], [ceiling])
            for parent, ceiling in ceilings.items()
        ]
        with self.unreadable_is_open():
            answers = self._call(generation, *operations)
            return {name: Block(*block) for name, block in zip(ceilings, answers, strict=True)}

    def install_all(
        self, generation: Generation, leases: Mapping[str, tuple[Block, Lease]]
    ) -> None:
        """Append the lease of each parent to its block, unless a rival has done so."""
        operations = [
            Operation("install", [redis_keys.block(parent)], [block.last, lease.first, lease.last])
            for parent, (block, lease) in leases.items()
        ]
        self._call(generation, *operations)

    def end_early(self, generation: Generation, wanted: Mapping[str, Block]) -> Collection[str]:
        """End the blocks of these parents before their next number; those that are as was seen."""
        arguments = [number for block in wanted.values() for number in (block.next, block.last)]
        keys = list(map(redis_keys.block, wanted))
        operation = Operation("end_early", keys, arguments, "idle_blocks")
        with self.unreadable_is_open():
            [[ended]] = self._call(generation, operation)
            return {name for name, is_ended in zip(wanted, ended, strict=True) if is_ended}

    def forget(self, generation: Generation, ended: Mapping[str, int]) -> None:
        """Remove the blocks that were ended before these numbers, unless they were extended."""
        if ended:
            keys = list(map(redis_keys.block, ended))
            operation = Operation("forget", keys, list(ended.values()), "idle_blocks")
            self._call(generation, operation)

    def _call(self, generation: Generation, *operations: Operation) -> list[list[Any]]:
        """The answer to each, in one round trip. Raises NoNumbers."""
        answers = _call_together([_Call(self, generation, one) for one in operations])
        return [_or_raise(answer) for answer in answers]

    def send(self, trip: RoundTrip, generation: Generation, operation: Operation) -> Server:
        """Send a call of this operation, while `calling` is held. Raises NoNumbers."""
        if self._suspended_since is not None:
            raise UnderExamination
        if self._generation not in (None, generation):
            raise AuthorityChanged
        # Later than this no request waits for the answer, so the server refuses the call.
        deadline = int((time.monotonic() + self._clock_ahead + REDIS_ANSWER_SECONDS) * 1000)
        keys = [redis_keys.fence(self.shard), redis_keys.epoch(self.shard), *operation.keys]
        further, count = (operation.looked_up, [len(keys)]) if self.shard.tag else ([], [])
        return trip.send(
            self.shard, "EVALSHA", script_digests(self.shard, generation)[operation.script],
            len(keys) + len(further), *keys, *further,
            operation.name, deadline, self.fence, *operation.arguments, *count,
        )  # fmt: skip

    def read(self, trip: RoundTrip, server: Server) -> list[Any] | None:
        """The answer to a call that was sent; None if it was late. Raises NoNumbers."""
        try:
            with self.unreadable_is_open():
                status, now, *answer = trip.read(server)
                # A lower bound: the answer took some time to arrive.
                self._clock_ahead = now / 1000 - time.monotonic()
                if status == b"ok":
                    self.fence = max(self.fence, answer[0])
                    return list(answer[1:])
                if status == b"late":
                    return None
                raise Untrusted(status.decode())
        except NoNumbers as error:
            self._clock_ahead = 0
            if isinstance(error, Unanswered):
                trip.give_up(server, error)
            raise

    def _disconnect(self) -> None:
        with suppress(RedisUnavailable):
            server_of(self.shard).pool.disconnect(inuse_connections=False)

    @contextmanager
    def unreadable_is_open(self) -> Iterator[None]:
        """Around a call: an answer of an unexpected shape leaves the outcome open."""
        try:
            yield
        except (TypeError, ValueError, LookupError, AttributeError) as error:
            logger.error(Event.SERVICE_UNFORESEEN, service="redis", error=error)  # noqa: TRY400
            # The next answer on the same connection may belong to another call.
            self._disconnect()
            raise Unanswered(f"an answer of another shape: {type(error).__name__}") from error


@dataclass(frozen=True, slots=True)
class ShardDemand:
    """The demands on the blocks of a shard, for this generation."""

    blocks: Blocks
    generation: Generation
    parents: Sequence[BlockDemand]


def accept_together(wanted: Sequence[ShardDemand]) -> list[list[BlockAnswer] | NoNumbers]:
    """Number the rows of all demands and make them pending, in one round trip.

    For each shard the answers, or why there are none. The shards come in their order.
    """
    answers = _call_together([_Call(of.blocks, of.generation, _accept(of)) for of in wanted])
    return [
        _or_error(partial(_read_answers, of, answer))
        if not isinstance(answer, NoNumbers)
        else answer
        for of, answer in zip(wanted, answers, strict=True)
    ]


def _accept(wanted: ShardDemand) -> Operation:
    keys = [redis_keys.pending_parents(wanted.blocks.shard)]
    arguments: list[Any] = [REMEMBERED_SECONDS]
    for one in wanted.parents:
        keys += redis_keys.block(one.parent), redis_keys.pending(one.parent)
        prefix = redis_keys.block(f"{one.parent}/") if one.child_lease else ""
        arguments += one.parent, prefix, one.child_lease, len(one.requests)
        for asked in one.requests:
            arguments += asked.key, asked.record, len(asked.payloads), *asked.payloads
    looked_up = [asked.key for one in wanted.parents for asked in one.requests if asked.key]
    return Operation("accept", keys, arguments, looked_up=looked_up)


def _read_answers(wanted: ShardDemand, answer: list[Any]) -> list[BlockAnswer]:
    with wanted.blocks.unreadable_is_open():
        [of_each] = answer
        return [_block_answer(*one) for one in zip(wanted.parents, of_each, strict=True)]


@dataclass(frozen=True, slots=True)
class _Call:
    blocks: Blocks
    generation: Generation
    operation: Operation


def _call_together(calls: Sequence[_Call]) -> list[list[Any] | NoNumbers]:
    """The answer to each call, or why there is none."""
    with ExitStack() as held:
        # All threads lock in the order of shards, so no two of them wait for each other.
        for blocks in dict.fromkeys(call.blocks for call in calls):
            held.enter_context(blocks.calling)
        answers = _make_calls(calls)
        # A server with an unknown clock refuses the first attempt, and its answer tells the time.
        late = [call for call, answer in zip(calls, answers, strict=True) if answer is None]
        again = iter(_make_calls(late) if late else ())
        answers = [next(again) if answer is None else answer for answer in answers]
    return [NumbersUnavailable("too slow") if one is None else one for one in answers]


def _make_calls(calls: Sequence[_Call]) -> list[list[Any] | NoNumbers | None]:
    with RoundTrip() as trip:
        sent = [
            _or_error(partial(call.blocks.send, trip, call.generation, call.operation))
            for call in calls
        ]
        return [
            server
            if isinstance(server, NoNumbers)
            else _or_error(partial(call.blocks.read, trip, server))
            for call, server in zip(calls, sent, strict=True)
        ]


def _or_raise(answer: list[Any] | NoNumbers) -> list[Any]:
    if isinstance(answer, NoNumbers):
        raise answer
    return answer


def _or_error(work: Callable[[], Answer]) -> Answer | NoNumbers:
    try:
        return work()
    except NoNumbers as error:
        return error


def _block_answer(wanted: BlockDemand, answer: Any) -> BlockAnswer:
    low, requests = answer
    of_each = zip(wanted.requests, requests, strict=True)
    return BlockAnswer(bool(low), [_read_answer(one) for _, one in of_each])


def _read_answer(answer: Any) -> int | KnownRequest | None:
    if isinstance(answer, int):
        return answer or None
    known, pending = answer
    first, _, record = known.decode().partition(" ")
    return KnownRequest(int(first), record, pending)
