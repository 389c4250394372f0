"""Connections closed by the servers are replaced, and no request fails."""

from collections.abc import Callable

import pytest

from chaos import stack
from chaos.client import Client
from chaos.database import authority, query
from chaos.rabbitmqctl import Node
from tests.faults.load import Load
from tests.faults.verdict import judge

pytestmark = [pytest.mark.stack, pytest.mark.faults]

#: More than one for each of the clients, so that many of the servers' threads are met.
READS = 40


def kill_of_database() -> int:
    """All connections that are idle now."""
    idle = query(
        "SELECT id FROM information_schema.processlist"
        " WHERE id <> connection_id() AND db IS NOT NULL AND command = 'Sleep'"
    )
    for (number,) in idle:
        query("KILL %s", number)
    return len(idle)


def kill_of_redis() -> int:
    """All but that by which it is told."""
    with stack.redis_client() as client:
        return int(client.client_kill_filter(_type="normal", skipme=True))


def kill_of_rabbitmq() -> int:
    """All connections of all users."""
    Node().do("close_all_connections", "a test")
    return 1


def read(client: Client, load: Load) -> set[int]:
    """The statuses of many reads, one after the other."""
    paths = [chat.children for chat in load.chats]
    return {client.send("GET", paths[turn % len(paths)]).status for turn in range(READS)}


@pytest.mark.parametrize("kill", [kill_of_database, kill_of_redis, kill_of_rabbitmq])
def test_no_request_fails(load: Load, client: Client, kill: Callable[[], int]) -> None:
    load.write(5)
    assert read(client, load) == {200}

    assert kill()

    load.write(5)  # all of which must be accepted
    assert read(client, load) == {200}
    assert authority() == load.authority
    judge(load)
