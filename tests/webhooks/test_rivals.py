"""Workers beside each other, on the real database and in the real stack."""

import random
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler
from threading import Lock
from typing import Any

import httpx
import pytest
from django.db import connection

from tests.api.client import Api
from tests.live.servers import NO_TLS, eventually, stack_url
from tests.webhooks.conftest import make_due, row, subscribe
from tests.webhooks.receiver import Receiver, Reply, once_each, receiver
from webhooks.runner import run

pytestmark = pytest.mark.stack

MESSAGES, ENDPOINTS, WORKERS = 250, 12, 4


@pytest.mark.django_db(transaction=True)
def test_rivals_send_each_batch_once_and_one_at_a_time_to_each_endpoint(api: Api) -> None:
    with receiver() as hook:
        overlaps = in_parallel(hook)
        for _ in range(ENDPOINTS):
            application = api.new_application()
            chat = api.new_chat(application)
            for _ in range(MESSAGES // 125):
                api.post(f"{chat}/messages/bulk", {"messages": [{"body": "x"}] * 125})
            subscribe(api, application, f"{hook.url}/{application.split('/')[2]}")

        with ThreadPoolExecutor(WORKERS) as threads:
            for worker in [threads.submit(closing) for _ in range(WORKERS)]:
                worker.result()

        by_path: defaultdict[str, list[str]] = defaultdict(list)
        for received in hook.received:
            by_path[received.path] += received.ids
        assert len(by_path) == ENDPOINTS
        for ids in by_path.values():
            assert len(ids) == len(set(ids)) == 1 + MESSAGES
        assert max(overlaps.values()) == 1


def closing() -> None:
    """Run the loop of a worker in this thread."""
    try:
        run()
    finally:
        connection.close()


def in_parallel(hook: Receiver) -> dict[str, int]:
    """The most requests at the same time, by path."""
    now: defaultdict[str, int] = defaultdict(int)
    most: defaultdict[str, int] = defaultdict(int)
    lock, answer = Lock(), hook.answer

    def note(handler: BaseHTTPRequestHandler, received: Any) -> None:
        with lock:
            now[received.path] += 1
            most[received.path] = max(most[received.path], now[received.path])
        time.sleep(random.uniform(0, 0.01))
        # The answer ends the delivery for the worker, who may begin the next one.
        with lock:
            now[received.path] -= 1
        answer(handler, received)

    hook.answer = note  # type: ignore[method-assign] # it does the same and counts
    return most


@pytest.mark.django_db(transaction=True)
def test_events_that_are_written_meanwhile_are_delivered_too(api: Api) -> None:
    application = api.new_application()
    chat = api.new_chat(application)
    with receiver() as hook, ThreadPoolExecutor(1) as threads:
        hook.replies = [Reply(500)]
        webhook = subscribe(api, application, hook.url)
        run()
        make_due(webhook)
        writing = threads.submit(say, chat)
        while not writing.done():
            run()
        run()

        assert once_each(hook.ids) == [str(number) for number in range(1, 42)]
        assert str(row(webhook).position) == "41"


def say(chat: str) -> None:
    """Write 40 messages, each by itself."""
    try:
        Api().say(chat, *("x" for _ in range(40)))
    finally:
        connection.close()


def test_the_stack_delivers_soon_and_everything_in_order() -> None:
    base = f"{stack_url()}/api/v1"
    with ExitStack() as stack:
        http = stack.enter_context(httpx.Client(base_url=base, timeout=30, verify=NO_TLS))
        hook = stack.enter_context(receiver())
        token = http.post("/applications", json={"name": "webhooks"}).json()["token"]
        path = f"/applications/{token}"
        chat = http.post(f"{path}/chats", json={"name": "x"}).json()["chat_number"]
        made = http.post(f"{path}/webhooks", json={"url": hook.url, "after": 0}).json()

        def position() -> str:
            shown: str = http.get(f"{path}/webhooks/{made['id']}").json()["position"]
            return shown

        eventually(lambda: position() == "1", 20, "the chat is delivered")
        hook.received.clear()
        http.post(f"{path}/chats/{chat}/messages", json={"body": "alone"})
        eventually(lambda: hook.received, 20, "a lone message is delivered", every=0.002)
        hook.replies = [Reply(503)]
        for number in range(200):
            http.post(f"{path}/chats/{chat}/messages", json={"body": str(number)})

        def numbers() -> set[int]:
            events = [event for one in hook.received for event in one.content["events"]]
            return {event["message"]["message_number"] for event in events}

        eventually(lambda: len(numbers()) == 201, 60, "all are delivered")
        log = http.get(f"{path}/events", params={"limit": 200, "after": "1"}).json()["results"]
        assert once_each(hook.ids)[: len(log)] == [event["id"] for event in log]
        for received in hook.received:
            received.verify(made["secret"])
        http.delete(f"{path}/webhooks/{made['id']}")
