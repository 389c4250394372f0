"""The numbers that Redis gives: a block for each parent, and one script for all that is done to it.

A call is sent once. Only where it was surely not done, because it was not sent or the server
refused it, may a row be numbered elsewhere. Whatever else goes wrong leaves the outcome open.
"""

import time
from collections.abc import Iterator, Sequence
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
from ingest.numbering.models import Generation
from ingest.records import Lease

logger = get_logger(__name__)

_SOURCE = (Path(__file__).parent / "blocks.lua").read_text()

#: So long a request with a key may be repeated.
REMEMBERED_SECONDS = 24 * 3600


class NumbersUnavailable(Exception):
    """Nothing was done: Redis cannot be reached, or refuses."""


class Unanswered(Exception):
    """The call was sent, and its answer did not come or says nothing: it may have been done."""


class Untrusted(Exception):
    """Nothing was done: this may not be the Redis that the numbers were lent to."""


@dataclass(frozen=True, slots=True)
class Block:
    """The next number that Redis gives and the last one it may give."""

    next: int
    last: int


@dataclass(frozen=True, slots=True)
class RequestNumbers:
    """Consecutive numbers for the rows of one request; `record` is remembered under its `key`."""

    payloads: Sequence[bytes]
    key: str = ""
    record: str = ""


@dataclass(frozen=True, slots=True)
class BlockDemand:
    """Numbers for requests to one parent; `child_lease` where the rows are parents themselves."""

    parent: str
    requests: Sequence[RequestNumbers]
    child_lease: int = 0


@dataclass(frozen=True, slots=True)
class KnownRequest:
    """A request that was made before: its first number and record, its rows that still pend."""

    first: int
    record: str
    pending: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class BlockAnswer:
    """Whether the block runs low; for each request the first number, or what is known of it.

    None where Redis has no block with so many.
    """

    runs_low: bool
    requests: Sequence[int | KnownRequest | None]


@cache
def script(term: Generation) -> str:
    """The script of a term."""
    return f"local EPOCH = {term.epoch} -- trusted for time {term.trust}\n{_SOURCE}"


@cache
def script_digest(term: Generation) -> str:
    """The name by which a server knows the script."""
    return sha1(script(term).encode()).hexdigest()  # noqa: S324 - Redis' choice


class Blocks:
    """This process's way to the blocks; one call at a time.

    `fence` is the highest that any call has seen, and `question` the last examination for which it
    was told. Holding `calling` keeps both as they are.
    """

    def __init__(self) -> None:
        self.calling = Lock()
        self.fence = 0
        self.question = 0
        self._clock_ahead = 0.0

    def accept(self, term: Generation, wanted: Sequence[BlockDemand]) -> list[BlockAnswer]:
        """Numbers for all of these, and their rows pending. Raises all of the above."""
        names = [redis_keys.PENDING_PARENTS]
        arguments: list[Any] = [REMEMBERED_SECONDS]
        for one in wanted:
            names += redis_keys.block(one.parent), redis_keys.pending(one.parent)
            prefix = redis_keys.block(f"{one.parent}/") if one.child_lease else ""
            arguments += one.parent, prefix, one.child_lease, len(one.requests)
            for asked in one.requests:
                arguments += asked.key, asked.record, len(asked.payloads), *asked.payloads
        with _unreadable_is_open():
            [answers] = self._call(term, "accept", names, arguments)
            return [_block_answer(one, answer) for one, answer in zip(wanted, answers, strict=True)]

    def open(self, term: Generation, parent: str, ceiling: int) -> Block:
        """The parent's block, opened empty above the ceiling where it is unknown."""
        names = [redis_keys.block(parent)]
        with _unreadable_is_open():
            return Block(*self._call(term, "open", names, [ceiling]))

    def install(self, term: Generation, parent: str, block: Block, lease: Lease) -> None:
        """Put the lease behind the block, unless somebody else has by now."""
        names = [redis_keys.block(parent)]
        with _unreadable_is_open():
            self._call(term, "install", names, [block.last, lease.first, lease.last])

    def _call(
        self, term: Generation, operation: str, names: Sequence[str], arguments: Sequence[Any]
    ) -> list[Any]:
        with self.calling:
            for _ in range(2):
                # Later than this nobody waits for the answer any more, so the server refuses.
                deadline = int((time.monotonic() + self._clock_ahead + REDIS_ANSWER_SECONDS) * 1000)
                status, now, *answer = self._send(
                    "EVALSHA", script_digest(term), 2 + len(names),
                    redis_keys.FENCE, redis_keys.EPOCH, *names,
                    operation, deadline, self.fence, *arguments,
                )  # fmt: skip
                # At the least: the answer took some time to come here.
                self._clock_ahead = now / 1000 - time.monotonic()
                if status == b"ok":
                    self.fence = max(self.fence, answer[0])
                    return list(answer[1:])
                if status != b"late":
                    raise Untrusted(status.decode())
        # A server whose clock is not known yet refuses the first attempt, and so tells the time.
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
            # What did not go out whole is never run, since the connection is closed now.
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
    """Around a call: an answer of another shape than the script's leaves the outcome open."""
    try:
        yield
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        logger.error(Event.SERVICE_UNFORESEEN, service="redis", error=error)  # noqa: TRY400
        # The next answer on the same connection may be that of another call.
        redis_pool().disconnect(inuse_connections=False)
        raise Unanswered(f"an answer of another shape: {type(error).__name__}") from error


def _connect() -> Any:  # redis-py's connections are not typed
    """A connection that is alive as far as can be seen from here. Raises RedisAway."""
    try:
        return redis_pool().get_connection()
    except redis.RedisError as error:
        meaning_of(error)  # logs an error that nobody knows
        redis_breaker().open(error)
        raise NumbersUnavailable(str(error)) from error
