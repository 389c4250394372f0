"""Redis is killed while clients repeat requests: each is done once."""

from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from chaos import stack
from chaos.client import Client
from chaos.parent import Parent
from chaos.waiting import until
from tests.faults.verdict import stored

pytestmark = [pytest.mark.stack, pytest.mark.faults]

CLIENTS = 50
REPEATS = 3


def repeat(chat: Parent, name: str, end: Event, answers: Mapping[str, set[int]]) -> int:
    """All clients send the same requests, each several times; how many were answered 201."""
    accepted = 0
    with Client() as http:
        for request in range(1000):
            for _ in range(REPEATS):
                key = f"{name}-{request}"
                answer = http.send("POST", chat.children, {"body": key}, {"Idempotency-Key": key})
                assert answer.status in {0, 201, 503}, answer
                if answer.status == 201:
                    answers[key].add(answer.document["message_number"])
                    accepted += 1
            if end.wait(0.05):
                break
    return accepted


def test_redis_is_killed_in_the_middle(chats: list[Parent]) -> None:
    chat, end = chats[0], Event()
    answers: defaultdict[str, set[int]] = defaultdict(set)
    with ThreadPoolExecutor(CLIENTS) as pool:
        # Five clients share each series of keys, and so get each other's answers.
        clients = [
            pool.submit(repeat, chat, f"series-{number % 10}", end, answers)
            for number in range(CLIENTS)
        ]
        try:
            until(lambda: len(answers) > 30, "they have begun", 30)
            with stack.broken("kill", "redis", lasting=8):
                pass
            begun = len(answers)
            until(lambda: len(answers) > begun + 30, "they go on", 60)
        finally:
            end.set()
    assert sum(client.result() for client in clients) > 0

    def missing() -> list[tuple[str, int]]:
        rows = stored(chat)
        return [
            (key, number)
            for key, numbers in answers.items()
            for number in numbers
            if rows.get(number) != key
        ]

    until(lambda: not missing(), "every answered number is stored under its body", 180)
    twice = {key: numbers for key, numbers in answers.items() if len(numbers) > 1}
    assert not twice
    bodies = list(stored(chat).values())
    assert len(bodies) == len(set(bodies))
