"""Wake-ups are lost without an error: events arrive all the same."""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from chaos.listener import Listener
from tests.live.servers import StackServer, eventually, stack_url
from tests.pipeline.proxy import Proxy
from tests.streams.log import WITHIN, opened

pytestmark = pytest.mark.stack


@pytest.fixture
def base_url() -> str:
    """Where messages are written: the stack's own web part."""
    return stack_url()


@pytest.fixture
def way() -> Iterator[Proxy]:
    """The way to Redis of the process that has the streams."""
    redis = urlsplit(os.environ["REDIS_URL"])
    with Proxy(str(redis.hostname), int(redis.port or 6379)) as way:
        yield way


@pytest.fixture
def listening(tmp_path: Path, way: Proxy) -> Iterator[StackServer]:
    server = StackServer(tmp_path, REQUIRE_KEYS="0", WEB_CONCURRENCY="1")
    redis = urlsplit(os.environ["REDIS_URL"])
    place = redis.netloc.replace(f":{redis.port}", f":{way.port}")
    server.environment["REDIS_URL"] = redis._replace(netloc=place).geturl()
    with server:
        yield server


def test_a_redis_that_falls_silent_loses_no_event(
    http: httpx.Client, listening: StackServer, way: Proxy, application: str, chat: str
) -> None:
    with Listener(listening.url, f"{application}/stream") as listener:
        opened(listener)
        way.freeze()
        for number in range(5):
            http.post(f"{chat}/messages", json={"body": f"{number}"})
            eventually(lambda: len(listener.received) > number, WITHIN, "it arrives")  # noqa: B023
        way.thaw()
        http.post(f"{chat}/messages", json={"body": "5"})
        eventually(lambda: len(listener.received) == 6, WITHIN, "the last one arrives")

    assert [one.data["message"]["body"] for one in listener.received] == [*"012345"]
    assert listener.connects == 1


def test_a_redis_that_comes_back_is_heard_again(
    http: httpx.Client, listening: StackServer, way: Proxy, application: str, chat: str
) -> None:
    with Listener(listening.url, f"{application}/stream") as listener:
        opened(listener)
        way.close()
        http.post(f"{chat}/messages", json={"body": "while it is away"})
        eventually(lambda: listener.received, WITHIN, "it arrives")
        way.open()
        http.post(f"{chat}/messages", json={"body": "and afterwards"})
        eventually(lambda: len(listener.received) == 2, WITHIN, "it arrives too")

    assert listener.connects == 1
