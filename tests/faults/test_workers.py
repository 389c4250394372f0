"""Workers are stopped or killed: accepted rows wait for them and remain editable."""

import pytest

from chaos import stack
from chaos.client import Client
from chaos.database import query
from chaos.parent import Parent
from chaos.waiting import until
from tests.faults.load import Load
from tests.faults.verdict import judge, stored

pytestmark = [pytest.mark.stack, pytest.mark.faults]


def test_workers_killed_again_and_again_lose_and_double_nothing(load: Load) -> None:
    with load.running():
        for _ in range(3):
            with stack.broken("kill", "worker"):
                load.goes_on()
            load.goes_on()

    assert load.longest_wait() < 8
    judge(load)


def test_workers_stopped_in_their_work_lose_and_double_nothing(load: Load) -> None:
    with load.running():
        with stack.broken("stop", "worker"):
            load.goes_on()
        load.goes_on()

    assert load.longest_wait() < 8
    judge(load)


def test_a_pending_message_is_edited_and_stays_so(client: Client, chats: list[Parent]) -> None:
    path = chats[0].children
    with stack.broken("stop", "worker"):
        for body in ("first", "second", "third"):
            client.create(path, body=body)
        second = f"{path}/2"

        assert client.send("PUT", second, {"body": "edited"}).status == 200

        assert client.get(second)["body"] == "edited"
        assert shown(client, path) == ["first", "edited", "third"]
    until(lambda: len(stored(chats[0])) == 3, "all three are stored")
    until(lambda: not stack.queued("messages"), "the queue is empty")
    assert stored(chats[0]) == {1: "first", 2: "edited", 3: "third"}
    assert shown(client, path) == ["first", "edited", "third"]
    assert versions(chats[0]) == [1, 2, 1]


def shown(client: Client, path: str) -> list[str]:
    """The bodies as the list shows them."""
    return [message["body"] for message in client.get(path)["results"]]


def versions(chat: Parent) -> list[int]:
    """The versions of the stored messages, in the order of their numbers."""
    rows = query(
        "SELECT version FROM messages WHERE application_token=%s AND chat_number=%s "
        "ORDER BY message_number",
        *chat,
    )
    return [version for (version,) in rows]
