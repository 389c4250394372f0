"""Everything arrives once and in order, wherever a listener is cut, in both profiles."""

from concurrent.futures import ThreadPoolExecutor
from random import Random

import httpx
import pytest

from chaos.listener import Listener
from tests.live.servers import NO_TLS, eventually
from tests.streams.log import WITHIN, log, opened


@pytest.mark.both
def test_each_kind_of_event_arrives_as_the_log_shows_it(
    http: httpx.Client, base_url: str, application: str, chat: str
) -> None:
    with Listener(base_url, f"{application}/stream") as listener:
        opened(listener)
        http.post(f"{application}/chats", json={"name": "another"})
        http.post(f"{chat}/messages/bulk", json={"messages": [{"body": "x\ny"}] * 3})
        eventually(lambda: len(log(http, application)) == 5, WITHIN, "the rows are stored")
        http.patch(f"{chat}/messages/2", json={"body": "changed"})
        http.patch(chat, json={"name": "renamed"})
        http.patch(application, json={"name": "renamed"})
        http.delete(f"{chat}/messages/2")
        eventually(lambda: len(log(http, application)) == 9, WITHIN, "all is stored")
        entries = log(http, application)[1:]
        eventually(lambda: len(listener.received) == 8, WITHIN, "all arrives")

    assert [one.id for one in listener.received] == [entry["id"] for entry in entries]
    assert [one.type for one in listener.received] == [entry["type"] for entry in entries]
    # A created message may be shown as it was when it was sent, or as it is later.
    assert [set(one.data) for one in listener.received] == [set(entry) for entry in entries]
    assert listener.received[-1].data == entries[-1]
    assert listener.received[-1].data["message"]["body"] is None


@pytest.mark.both
def test_listeners_that_are_cut_at_random_miss_and_repeat_nothing(
    http: httpx.Client, base_url: str, application: str, chat: str
) -> None:
    rounds, writers, listeners = 30, 3, [Listener(base_url, f"{application}/stream", after="0")]
    listeners += [Listener(base_url, f"{chat}/stream", after="0") for _ in range(2)]
    listeners += [Listener(base_url, f"{application}/stream", after="0") for _ in range(5)]
    random = Random(21)

    def write(_: int) -> None:
        with httpx.Client(base_url=f"{base_url}/api/v1", timeout=60, verify=NO_TLS) as client:
            for number in range(rounds):
                bodies = [{"body": f"{number} {one}"} for one in range(1 + number % 7)]
                answer = client.post(f"{chat}/messages/bulk", json={"messages": bodies})
                assert answer.status_code == 201
                random.choice(listeners).cut()

    for listener in listeners:
        listener.start()
    try:
        with ThreadPoolExecutor(writers) as pool:
            list(pool.map(write, range(writers)))
        messages = writers * sum(1 + number % 7 for number in range(rounds))
        eventually(lambda: len(log(http, application)) == messages + 1, WITHIN, "all is stored")
        expected = [entry["id"] for entry in log(http, application)]
        for listener in listeners:
            eventually(lambda: len(listener.ids) >= len(expected), WITHIN, "all arrives")  # noqa: B023
    finally:
        for listener in listeners:
            listener.stop()

    assert {tuple(listener.ids) for listener in listeners} == {tuple(expected)}
    assert sum(listener.connects for listener in listeners) > len(listeners)
