"""The meaning of each service error; an unforeseen error loses nothing and is logged."""

from itertools import combinations
from typing import Any

import pytest
import redis
from amqp.exceptions import (
    AccessRefused,
    AMQPError,
    ConnectionForced,
    ContentTooLarge,
    InternalError,
    MessageNacked,
    PreconditionFailed,
    RecoverableConnectionError,
)
from django.db import (
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
)
from kombu.exceptions import OperationalError as BrokerError
from redis._parsers.base import BaseParser

from infra import service_errors
from infra.service_errors import Meaning, blames_row, is_deadlock, is_duplicate, meaning_of
from tests.logs.conftest import Log, log

__all__ = ["log"]

NOT_DONE, OPEN, ROW, DEFECT = Meaning


def parsed(text: str) -> redis.RedisError:
    """The error that redis-py makes of what a server says."""
    parser: Any = BaseParser
    error: redis.RedisError = parser.parse_error(text)
    return error


REFUSALS = (
    "NOREPLICAS Not enough good replicas to write.",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "CLUSTERDOWN The cluster is down",
    "CLUSTERDOWN Hash slot not served",
    "MISCONF Errors writing to the AOF file: No space left on device",
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    "NOAUTH Authentication required.",
    "WRONGPASS invalid username-password pair or user is disabled.",
    "NOPERM this user has no permissions to run the 'evalsha' command",
    "DENIED Redis is running in protected mode",
    "MOVED 3999 127.0.0.1:6381",
    "ASK 3999 127.0.0.1:6381",
    "TRYAGAIN Multiple keys request during rehashing of slot",
    "LOADING Redis is loading the dataset in memory",
    "READONLY You can't write against a read only replica.",
    "OOM command not allowed when used memory > 'maxmemory'.",
    "EXECABORT Transaction discarded because of previous errors.",
    "NOSCRIPT No matching script. Please use EVAL.",
    "REDIRECT 127.0.0.1:6381",
    "NOMASTERLINK Can't SYNC while not connected with my master",
    "INPROG Failover already in progress",
    "ERR max number of clients reached",
    "ERR Protocol error: unauthenticated multibulk length",
    "ERR max number of clients + cluster connections reached",
)
WITHIN = " script: 0e45ca3bf86348d169d966a60888dee214d1e71a, on @user_script:1."


@pytest.mark.parametrize("text", REFUSALS)
def test_redis_refuses_and_nothing_was_done(text: str, log: Log) -> None:
    assert meaning_of(parsed(text)) is NOT_DONE
    assert not log.of("service.unforeseen")


@pytest.mark.parametrize("code", ["NOREPLICAS", "MISCONF", "READONLY", "OOM", "MASTERDOWN"])
def test_a_script_is_refused_at_its_first_write(code: str) -> None:
    assert meaning_of(parsed(f"{code} some reason.{WITHIN}")) is NOT_DONE


@pytest.mark.parametrize(
    "text",
    [
        f"ERR The user executing the script can't run this command or subcommand{WITHIN}",
        f"NOPERM this user has no permissions{WITHIN}",
        f"WRONGTYPE Operation against a key holding the wrong kind of value{WITHIN}",
        f"ERR user_script:1: attempt to index local 'x' (a nil value){WITHIN}",
        f"ERR Script killed by user with SCRIPT KILL...{WITHIN}",
        "ERR Error running script (call to f_0e45): @user_script:1: -OOM command not allowed",
        "UNBLOCKED client unblocked via CLIENT UNBLOCK",
        "UNKILLABLE Sorry the script already executed write commands against the dataset.",
        "IOERR error or timeout writing to target instance",
    ],
)
def test_redis_may_have_done_a_part(text: str, log: Log) -> None:
    assert meaning_of(parsed(text)) is OPEN
    assert not log.of("service.unforeseen")


@pytest.mark.parametrize("error", [redis.ConnectionError("closed"), redis.TimeoutError("late")])
def test_redis_did_not_answer(error: Exception) -> None:
    assert meaning_of(error) is OPEN


@pytest.mark.parametrize(
    "text",
    [
        "CROSSSLOT Keys in request don't hash to the same slot",
        "WRONGTYPE Operation against a key holding the wrong kind of value",
        "NOPROTO unsupported protocol version",
        "ERR unknown command 'EVALSHA', with args beginning with: 'a'",
        "ERR wrong number of arguments for 'evalsha' command",
        "ERR value is not an integer or out of range",
    ],
)
def test_redis_is_misused_which_is_logged(text: str, log: Log) -> None:
    assert meaning_of(parsed(text)) is DEFECT
    [line] = log.of("service.unforeseen")
    assert line["service"] == "redis"


@pytest.mark.parametrize(
    "error",
    [
        parsed("WHATEVER this is"),
        parsed("ERR upstream timeout of some proxy"),
        redis.InvalidResponse("Protocol error"),
        AMQPError("?", reply_code=599),
        OperationalError(9999, "?"),
    ],
)
def test_what_nobody_foresaw_is_open_and_logged(error: Exception, log: Log) -> None:
    assert meaning_of(error) is OPEN
    assert len(log.of("service.unforeseen")) == 1


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (ConnectionForced("CONNECTION_FORCED"), NOT_DONE),
        (AccessRefused("ACCESS_REFUSED"), NOT_DONE),
        (PreconditionFailed("inequivalent arg"), NOT_DONE),
        (MessageNacked(), NOT_DONE),
        (ContentTooLarge("CONTENT_TOO_LARGE"), ROW),
        (PreconditionFailed("message size 16777217 is larger than configured max size"), ROW),
        (InternalError("INTERNAL_ERROR"), OPEN),
        (RecoverableConnectionError("Socket was disconnected"), OPEN),
        (BrokerError("timed out"), OPEN),
        (AMQPError("SYNTAX_ERROR", reply_code=502), DEFECT),
    ],
)
def test_rabbitmq(error: Exception, meaning: Meaning) -> None:
    assert meaning_of(error) is meaning


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (OperationalError(1290, "--read-only"), NOT_DONE),
        (OperationalError(1205, "Lock wait timeout"), NOT_DONE),
        (OperationalError(1213, "Deadlock"), NOT_DONE),
        (OperationalError(1040, "Too many connections"), NOT_DONE),
        (OperationalError(1047, "WSREP has not yet prepared node"), NOT_DONE),
        (OperationalError(2002, "Can't connect"), NOT_DONE),
        (OperationalError(1054, "Unknown column"), NOT_DONE),
        (ProgrammingError(1146, "Table doesn't exist"), NOT_DONE),
        (IntegrityError(1364, "Field doesn't have a default value"), NOT_DONE),
        (InterfaceError(0, ""), NOT_DONE),
        (OperationalError("database is locked"), NOT_DONE),
        (OperationalError("attempt to write a readonly database"), NOT_DONE),
        (OperationalError(2013, "Lost connection"), OPEN),
        (OperationalError(2006, "Server has gone away"), OPEN),
        (OperationalError(1180, "Got error during COMMIT"), OPEN),
        (DataError(1406, "Data too long"), ROW),
        (OperationalError(1366, "Incorrect string value"), ROW),
        (OperationalError(1153, "Packet too large"), ROW),
        (IntegrityError(1062, "Duplicate entry"), ROW),
        (IntegrityError("UNIQUE constraint failed"), ROW),
        (DataError("ValueError: no acceptance"), ROW),
        (ProgrammingError(1064, "You have an error in your SQL syntax"), DEFECT),
        (ProgrammingError("Incorrect number of bindings"), DEFECT),
    ],
)
def test_the_database(error: Error, meaning: Meaning) -> None:
    assert meaning_of(error) is meaning
    assert blames_row(error) is (meaning is ROW)


def test_an_error_of_no_service() -> None:
    assert meaning_of(ValueError("x")) is None


def test_duplicates_and_deadlocks() -> None:
    assert is_duplicate(IntegrityError(1062, "Duplicate entry"))
    assert is_duplicate(IntegrityError("UNIQUE constraint failed: messages.number"))
    assert not is_duplicate(IntegrityError(4025, "CONSTRAINT failed"))
    assert is_deadlock(OperationalError(1213, "Deadlock"))
    assert not is_deadlock(OperationalError(1205, "Lock wait timeout"))
    on_a_shard = "target: chat.-80.primary: vttablet: Lock wait timeout exceeded (errno 1205)"
    assert is_deadlock(OperationalError(1205, on_a_shard))


@pytest.mark.parametrize("prefix", ["_REDIS_", "_BROKER_", "_DATABASE_"])
def test_no_error_is_in_two_lists(prefix: str) -> None:
    lists = {
        name: value
        for name, value in vars(service_errors).items()
        if isinstance(value, frozenset)
        and name.startswith(prefix)
        and name != "_REDIS_REFUSES_FIRST_WRITE"
    }
    for (one, of_one), (other, of_other) in combinations(lists.items(), 2):
        assert not of_one & of_other, (one, other)
