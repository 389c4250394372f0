"""On the stack, new and edited messages soon become searchable without further action."""

from concurrent.futures import ThreadPoolExecutor
from itertools import product
from uuid import uuid4

import httpx
import pytest

from tests.live.servers import eventually, stack_url

pytestmark = pytest.mark.stack

WITHIN_S = 30


def test_what_is_written_and_edited_is_found() -> None:
    with httpx.Client(base_url=f"{stack_url()}/api/v1", timeout=30) as http:
        token = http.post("/applications", json={"name": "found"}).json()["token"]
        http.post(f"/applications/{token}/chats", json={"name": "found"})
        messages = f"/applications/{token}/chats/1/messages"
        words = [uuid4().hex for _ in range(3)]
        for number, word in enumerate(words, start=1):
            assert http.post(messages, json={"body": f"word {word}"}).status_code == 201
            await_hit(http, messages, word, number)
        edited = uuid4().hex
        http.put(f"{messages}/2", json={"body": f"instead {edited}"})
        await_hit(http, messages, edited, 2)
        assert found(http, messages, "word") == [3, 1]


def test_searches_at_the_same_time_find_what_each_asks_for() -> None:
    with httpx.Client(base_url=f"{stack_url()}/api/v1", timeout=30) as http:
        token = http.post("/applications", json={"name": "found"}).json()["token"]
        chats = f"/applications/{token}/chats"
        words = [uuid4().hex for _ in range(20)]
        for chat in (1, 2):
            http.post(chats, json={"name": "found"})
            many = [{"body": word} for word in words[:: 1 if chat == 1 else -1]]
            many.append({"body": f"{words[0]} {'long ' * 300}"})
            http.post(f"{chats}/{chat}/messages/bulk", json={"messages": many})
            await_hit(http, f"{chats}/{chat}/messages", "long", 21)
        http.delete(f"{chats}/1/messages/5")

        def ask(chat: int, place: int) -> list[int]:
            return found(http, f"{chats}/{chat}/messages", words[place])

        with ThreadPoolExecutor(20) as pool:
            asked = list(product((1, 2), range(20)))
            answers = dict(zip(asked, pool.map(lambda one: ask(*one), asked), strict=True))

    for (chat, place), numbers in answers.items():
        own = place + 1 if chat == 1 else 20 - place
        longest = [21] if place == 0 else []
        erased = (chat, own) == (1, 5)
        assert numbers == longest + ([] if erased else [own]), (chat, place)


def await_hit(http: httpx.Client, messages: str, query: str, number: int) -> None:
    eventually(lambda: found(http, messages, query) == [number], WITHIN_S, query)


def found(http: httpx.Client, messages: str, query: str) -> list[int]:
    answer = http.get(f"{messages}/search", params={"query": query})
    assert answer.headers["Search-Backend"] == "elasticsearch"
    return [hit["message_number"] for hit in answer.json()["results"]]
