"""On the stack, new and edited messages soon become searchable without further action."""

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


def await_hit(http: httpx.Client, messages: str, query: str, number: int) -> None:
    eventually(lambda: found(http, messages, query) == [number], WITHIN_S, query)


def found(http: httpx.Client, messages: str, query: str) -> list[int]:
    answer = http.get(f"{messages}/search", params={"query": query})
    assert answer.headers["Search-Backend"] == "elasticsearch"
    return [hit["message_number"] for hit in answer.json()["results"]]
