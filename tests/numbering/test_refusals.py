"""Redis responds with errors: creates soon succeed again, whatever the error."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
import redis
from pytest_django import Settings

from chats.models import Chat
from infra.redis_client import RedisUnavailable, ask_redis, forget_servers
from ingest.group_commit import OutcomeOpen
from ingest.models import Source
from ingest.numbering import agent
from ingest.numbering.authority import read_authority
from tests.live.servers import eventually
from tests.logs.conftest import Log, log
from tests.numbering.processes import Process
from tests.redis_server import PASSWORD, RedisServer
from tests.refusing_redis import RefusingRedis
from tests.shards import ONLY

__all__ = ["log"]

WITHIN_S = 40


@pytest.fixture(autouse=True)
def soon_steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis gives numbers again soon after it takes writes."""
    monkeypatch.setattr(agent, "REACHED_FOR", timedelta(seconds=0.5))


def command(client: Any, *words: str) -> None:
    """Send it; the client's own method has no types."""
    client.execute_command(*words)


@contextmanager
def configured(server: RedisServer, **values: str) -> Iterator[None]:
    """The server's settings, with underscores for dashes, are these."""
    admin = server.client()
    names = {name: name.replace("_", "-") for name in values}
    before = {name: admin.config_get(name)[name] or "" for name in names.values()}
    for name, value in values.items():
        admin.config_set(names[name], value)
    yield
    for name, former in before.items():
        admin.config_set(name, former)


@contextmanager
def no_replicas(server: RedisServer) -> Iterator[None]:
    with configured(server, min_replicas_to_write="1"):
        yield


@contextmanager
def out_of_memory(server: RedisServer) -> Iterator[None]:
    with configured(server, maxmemory="1"):
        yield


@contextmanager
def read_only(server: RedisServer) -> Iterator[None]:
    command(server.client(), "REPLICAOF", "127.0.0.1", "1")
    yield
    command(server.client(), "REPLICAOF", "NO", "ONE")


@contextmanager
def replica_without_its_master(server: RedisServer) -> Iterator[None]:
    with configured(server, replica_serve_stale_data="no"), read_only(server):
        yield


@contextmanager
def no_disk(server: RedisServer) -> Iterator[None]:
    """Its snapshots fail."""
    admin = server.client()
    occupied = server.folder / "dump.rdb" / "x"
    occupied.mkdir(parents=True)
    with configured(server, save="3600 1"):
        admin.bgsave()
        eventually(
            lambda: admin.info("persistence")["rdb_last_bgsave_status"] == "err", 20, "the failure"
        )
        yield
        occupied.rmdir()
        occupied.parent.rmdir()
        admin.bgsave()


@contextmanager
def no_permission(server: RedisServer) -> Iterator[None]:
    admin = other_user(server)
    command(admin, "ACL", "SETUSER", "default", "-evalsha")
    yield
    command(admin, "ACL", "SETUSER", "default", "+@all")


@contextmanager
def no_permission_for_a_write_of_the_script(server: RedisServer) -> Iterator[None]:
    admin = other_user(server)
    command(admin, "ACL", "SETUSER", "default", "-hset")
    yield
    command(admin, "ACL", "SETUSER", "default", "+@all")


@contextmanager
def another_password(server: RedisServer) -> Iterator[None]:
    admin = other_user(server)
    command(admin, "ACL", "SETUSER", "default", "resetpass", ">secret")
    admin.client_kill_filter(_type="normal", skipme=True)
    yield
    command(admin, "ACL", "SETUSER", "default", "resetpass", f">{PASSWORD}")


@contextmanager
def busy(server: RedisServer) -> Iterator[None]:
    def run() -> None:
        with suppress(redis.RedisError):
            server.client().eval("while true do end", 0)

    with configured(server, busy_reply_threshold="100"):
        script = Thread(target=run)
        script.start()
        eventually(lambda: is_busy(server), 10, "a busy server")
        yield
        command(server.client(), "SCRIPT", "KILL")
        script.join()


def is_busy(server: RedisServer) -> bool:
    try:
        server.client().ping()
    except redis.ResponseError:
        return True
    return False


def other_user(server: RedisServer) -> redis.Redis:
    """A client that is not the default user, whose rights the tests change."""
    command(server.client(), "ACL", "SETUSER", "admin", "on", ">admin", "~*", "&*", "+@all")
    return redis.Redis(port=server.port, username="admin", password="admin")  # noqa: S106


Fault = Callable[[RedisServer], AbstractContextManager[None]]
REFUSALS = (
    no_replicas,
    out_of_memory,
    read_only,
    replica_without_its_master,
    no_disk,
    no_permission,
    another_password,
    busy,
)


def created(process: Process, token: str) -> int | Exception:
    """The number of a new chat, or what its request was told."""
    try:
        return process.chats(token)[0]
    except OutcomeOpen as error:
        return error


def assert_numbers_come_back(process: Process, token: str, last: int) -> None:
    """Redis gives numbers again by itself, above those that the database gave."""
    given = [last]

    def is_numbered_by_redis() -> bool:
        given.extend(process.chats(token))
        return not Chat.objects.filter(application_token=token, chat_number=given[-1]).exists()

    eventually(is_numbered_by_redis, WITHIN_S, "numbers from Redis")
    assert given == sorted(set(given))


@pytest.mark.parametrize("fault", REFUSALS, ids=lambda fault: fault.__name__)
def test_a_redis_that_refuses_is_away(
    fault: Fault, process: Process, token: str, redis_server: RedisServer
) -> None:
    assert process.chats(token, 2) == [1, 2]

    with ExitStack() as stack:
        stack.enter_context(fault(redis_server))
        began = time.monotonic()
        [number] = process.chats(token)
        took = time.monotonic() - began

        assert number > 2
        assert read_authority(ONLY).source == Source.DATABASE
        assert took < 6
        # Redis is tried by writing: one that only answers does not get the numbers back.
        until = time.monotonic() + 2
        while time.monotonic() < until:
            [next_number] = process.chats(token)
            assert next_number > number
            number = next_number
            assert read_authority(ONLY).source == Source.DATABASE

    assert_numbers_come_back(process, token, number)


def test_a_script_that_was_stopped_halfway_leaves_the_outcome_open(
    process: Process, token: str, redis_server: RedisServer
) -> None:
    assert process.chats(token, 2) == [1, 2]

    with no_permission_for_a_write_of_the_script(redis_server):
        assert isinstance(created(process, token), OutcomeOpen)
        eventually(lambda: isinstance(created(process, token), int), 10, "a number")
        [number] = process.chats(token)
        assert read_authority(ONLY).source == Source.DATABASE

    assert_numbers_come_back(process, token, number)


@pytest.fixture
def refusing(redis_server: RedisServer, settings: Settings) -> Iterator[RefusingRedis]:
    """The way by which this process asks its Redis."""
    forget_servers()
    with RefusingRedis(redis_server.port) as way:
        settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update={"redis_url": way.url})
        yield way
        way.answer = b""


@pytest.mark.parametrize(
    "answer",
    [
        b"-MOVED 3999 127.0.0.1:6381",
        b"-CROSSSLOT Keys in request don't hash to the same slot",
        b"-NOAUTH Authentication required.",
        b"-DENIED Redis is running in protected mode",
        b"-ERR unknown command 'EVALSHA', with args beginning with: 'a'",
    ],
)
def test_a_refusal_that_only_others_give(
    answer: bytes, refusing: RefusingRedis, process: Process, token: str
) -> None:
    assert process.chats(token, 2) == [1, 2]
    refusing.answer = answer

    [number] = process.chats(token)

    assert number > 2
    assert read_authority(ONLY).source == Source.DATABASE
    with pytest.raises(RedisUnavailable):
        ask_redis(ONLY, lambda server: server.get("x"))
    refusing.answer = b""
    assert_numbers_come_back(process, token, number)


@pytest.mark.parametrize(
    ("answer", "is_unforeseen"),
    [
        (b"-UNBLOCKED client unblocked via CLIENT UNBLOCK", False),
        (b"-WHATEVER this is", True),
        (b"+OK", True),
        (b"*3\r\n$2\r\nok\r\n:1\r\n:1", True),
        (b"?neither an answer nor an error", True),
    ],
)
def test_an_answer_that_says_nothing_leaves_the_outcome_open_and_the_database_takes_over(
    answer: bytes,
    is_unforeseen: bool,
    refusing: RefusingRedis,
    process: Process,
    token: str,
    log: Log,
) -> None:
    assert process.chats(token, 2) == [1, 2]
    refusing.answer = answer

    assert isinstance(created(process, token), OutcomeOpen)
    assert bool(log.of("service.unforeseen")) is is_unforeseen
    eventually(lambda: isinstance(created(process, token), int), 10, "a number")
    [number] = process.chats(token)
    assert number > 2

    refusing.answer = b""
    assert_numbers_come_back(process, token, number)
