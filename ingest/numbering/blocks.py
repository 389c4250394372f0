"""The numbers that Redis gives: a block for each parent, and one script for all operations on it.

A call is sent once. Only if it surely had no effect, because it was not sent or the server refused
it, may a row be numbered elsewhere. Any other failure leaves the outcome open.
"""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from hashlib import sha1
from pathlib import Path
from threading import Lock
from typing import Any

import redis

from infra.logs import Event, get_logger
from infra.redis_client import redis_breaker, redis_pool
from infra.service_errors import Meaning, meaning_of
from infra.timeouts import REDIS_ANSWER_SECONDS
from ingest import redis_keys
from ingest.models import Generation, NumberAuthority
from ingest.numbering.authority import AuthorityChanged
from ingest.records import Lease

logger = get_logger(__name__)

#: The scripts by name, as their files are composed. All begin with the same checks.
_SOURCES = {
    name: "".join(
        (Path(__file__).parent / f"{part}.lua").read_text() for part in ("blocks_head", name)
    )
    for name in ("blocks", "idle_blocks")
}

#: How long idempotent requests are remembered.
REMEMBERED_SECONDS = 24 * 3600


class NumbersUnavailable(Exception):
    """Nothing was done: Redis cannot be reached, or it refused."""


class Unanswered(Exception):
    """The call was sent, and no usable answer came: it may have been done."""


class Untrusted(Exception):
    """Nothing was done: this may not be the Redis that holds the leases."""


class UnderExamination(Exception):
    """Nothing was done: it is not decided yet whether this Redis holds the leases."""


@dataclass(frozen=True, slots=True)
class Report:
    """The highest fence that a process has seen, as of the examination that it answered last."""

    fence: int
    examination: int


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
def scripts(generation: Generation) -> Mapping[str, str]:
    """The scripts of a generation, by name."""
    first = f"local EPOCH = {generation.epoch} -- trusted for time {generation.trust}"
    return {name: f"{first}\n{source}" for name, source in _SOURCES.items()}


@cache
def script_digests(generation: Generation) -> Mapping[str, str]:
    """The digests by which a server knows the scripts, by name."""
    return {
        name: sha1(script.encode()).hexdigest()  # noqa: S324 - Redis' choice
        for name, script in scripts(generation).items()
    }


class Blocks:
    """This process's access to the blocks, one call at a time.

    `fence` is the highest one that any call has seen. While `calling` is held it does not change.

    Once it was reported for an examination, no call is made until that is decided. Otherwise a
    process that still reaches the server from before a failover could take numbers there that its
    successor, which is trusted by then, gives too.
    """

    def __init__(self) -> None:
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
                redis_pool().disconnect(inuse_connections=False)
                self._question, self._suspended_since = question, time.monotonic()
            return Report(self.fence, self._question)

    def learn(self, authority: NumberAuthority) -> None:
        """Go on with the present generation if the examination is decided."""
        with self.calling:
            if authority.examined >= self._question:
                self._generation, self._suspended_since = authority.generation, None

    def accept(self, generation: Generation, wanted: Sequence[BlockDemand]) -> list[BlockAnswer]:
        """Number the rows of all demands and make them pending. Raises the errors above."""
        names = [redis_keys.PENDING_PARENTS]
        arguments: list[Any] = [REMEMBERED_SECONDS]
        for one in wanted:
            names += redis_keys.block(one.parent), redis_keys.pending(one.parent)
            prefix = redis_keys.block(f"{one.parent}/") if one.child_lease else ""
            arguments += one.parent, prefix, one.child_lease, len(one.requests)
            for asked in one.requests:
                arguments += asked.key, asked.record, len(asked.payloads), *asked.payloads
        with _unreadable_is_open():
            [answers] = self._call(generation, "accept", names, arguments)
            return [_block_answer(one, answer) for one, answer in zip(wanted, answers, strict=True)]

    def open(self, generation: Generation, parent: str, ceiling: int) -> Block:
        """The parent's block; an unknown one is opened, empty, above the ceiling."""
        names = [redis_keys.block(parent)]
        with _unreadable_is_open():
            return Block(*self._call(generation, "open", names, [ceiling]))

    def install_block(
        self, generation: Generation, parent: str, block: Block, lease: Lease
    ) -> None:
        """Append the lease to the block, unless a rival has done so."""
        names = [redis_keys.block(parent)]
        with _unreadable_is_open():
            self._call(generation, "install", names, [block.last, lease.first, lease.last])

    def end_early(self, generation: Generation, wanted: Mapping[str, Block]) -> Collection[str]:
        """End the blocks of these parents before their next number; those that are as was seen."""
        arguments = [number for block in wanted.values() for number in (block.next, block.last)]
        with _unreadable_is_open():
            names = list(map(redis_keys.block, wanted))
            [ended] = self._call(generation, "end_early", names, arguments, "idle_blocks")
            return {name for name, is_ended in zip(wanted, ended, strict=True) if is_ended}

    def forget(self, generation: Generation, ended: Mapping[str, int]) -> None:
        """Remove the blocks that were ended before these numbers, unless they were extended."""
        if ended:
            names = list(map(redis_keys.block, ended))
            self._call(generation, "forget", names, list(ended.values()), "idle_blocks")

    def _call(
        self,
        generation: Generation,
        operation: str,
        names: Sequence[str],
        arguments: Sequence[Any],
        script: str = "blocks",
    ) -> list[Any]:
        with self.calling:
            if self._suspended_since is not None:
                raise UnderExamination
            if self._generation not in (None, generation):
                raise AuthorityChanged
            for _ in range(2):
                # Later than this no request waits for the answer, so the server refuses the call.
                deadline = int((time.monotonic() + self._clock_ahead + REDIS_ANSWER_SECONDS) * 1000)
                status, now, *answer = self._send(
                    "EVALSHA", script_digests(generation)[script], 2 + len(names),
                    redis_keys.FENCE, redis_keys.EPOCH, *names,
                    operation, deadline, self.fence, *arguments,
                )  # fmt: skip
                # A lower bound: the answer took some time to arrive.
                self._clock_ahead = now / 1000 - time.monotonic()
                if status == b"ok":
                    self.fence = max(self.fence, answer[0])
                    return list(answer[1:])
                if status != b"late":
                    raise Untrusted(status.decode())
        # A server with an unknown clock refuses the first attempt, and its answer tells the time.
        raise NumbersUnavailable("too slow")

    def _send(self, *command: Any) -> Any:
        if redis_breaker().is_open:
            raise NumbersUnavailable("known to be away")
        connection = _connect()
        try:
            return self._answer(connection, *command)
        except redis.exceptions.NoScriptError as error:
            self._clock_ahead = 0
            raise Untrusted("the script is not there") from error
        except redis.RedisError as error:
            if not isinstance(error, redis.ResponseError):
                self._clock_ahead = 0
                redis_breaker().open(error)
            failure = Unanswered if meaning_of(error) is Meaning.OPEN else NumbersUnavailable
            raise failure(str(error)) from error
        finally:
            redis_pool().release(connection)

    @staticmethod
    def _answer(connection: Any, *command: Any) -> Any:
        try:
            connection.send_packed_command(connection.pack_command(*command), check_health=False)
        except (redis.ConnectionError, redis.TimeoutError) as error:
            # A command that was not sent whole is never run: the connection is closed now.
            raise NumbersUnavailable(str(error)) from error
        return connection.read_response()


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


@contextmanager
def _unreadable_is_open() -> Iterator[None]:
    """Around a call: an answer of an unexpected shape leaves the outcome open."""
    try:
        yield
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        logger.error(Event.SERVICE_UNFORESEEN, service="redis", error=error)  # noqa: TRY400
        # The next answer on the same connection may belong to another call.
        redis_pool().disconnect(inuse_connections=False)
        raise Unanswered(f"an answer of another shape: {type(error).__name__}") from error


def _connect() -> Any:  # redis-py's connections are not typed
    """A connection that seems to be alive. Raises NumbersUnavailable."""
    try:
        return redis_pool().get_connection()
    except redis.RedisError as error:
        meaning_of(error)  # logs an unknown error
        redis_breaker().open(error)
        raise NumbersUnavailable(str(error)) from error
