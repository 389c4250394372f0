"""The limits of a worker: slow clients, endless requests, too many connections."""

import asyncio
from typing import Any

import pytest

from api.asgi import Executor
from tests.live.gunicorn_worker import (
    WHOLE,
    Reader,
    Writer,
    converse,
    counted,
    sends,
    statuses,
    until,
    worker,
)

SECONDS = 0.3


@pytest.mark.parametrize(
    "begun",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"PO", id="no line"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: x\r\nX-", id="half a head"),
        pytest.param(WHOLE[:-1], id="all but the last byte"),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
            id="chunks without an end",
        ),
    ],
)
def test_a_request_that_does_not_arrive_in_time_is_a_408(begun: bytes) -> None:
    answer = converse(sends(begun) if begun else sends(), worker(seconds=SECONDS))

    assert statuses(answer) == [408]
    assert b"application/problem+json" in answer


def test_the_next_request_of_a_connection_has_its_own_time() -> None:
    serving = worker(seconds=30)

    def pass_seconds(seconds: float) -> None:
        """As if this time had passed: a busy machine takes longer than short limits allow."""
        deadlines = serving.arrivals._deadlines
        deadlines.update({waiting: at - seconds for waiting, at in deadlines.items()})
        serving.arrivals._check(serving.loop)

    async def talk(reader: Reader, writer: Writer) -> bytes:
        for _ in range(4):
            writer.write(WHOLE[:-1])
            await until(lambda: serving.arrivals._deadlines)
            pass_seconds(15)
            writer.write(WHOLE[-1:])
            answer = await reader.readuntil(b"ok")
            assert answer.startswith(b"HTTP/1.1 200 ")
            pass_seconds(20)
        writer.write(WHOLE[:10])
        await until(lambda: serving.arrivals._deadlines)
        pass_seconds(30)
        return await reader.read()

    assert statuses(converse(talk, serving)) == [408]


def test_a_client_that_trickles_is_given_up_too() -> None:
    async def talk(reader: Reader, writer: Writer) -> bytes:
        answer = asyncio.create_task(reader.read())
        for byte in WHOLE:
            if answer.done():
                break
            writer.write(bytes([byte]))
            await asyncio.sleep(SECONDS / 10)
        return await answer

    assert statuses(converse(talk, worker(seconds=SECONDS))) == [408]


def test_a_connection_that_is_idle_for_too_long_is_closed_without_a_word() -> None:
    serving = worker()

    async def talk(reader: Reader, writer: Writer) -> bytes:
        answer = b""
        for seconds in (60, 0):
            writer.write(WHOLE)
            answer += await reader.readuntil(b"ok")
            await until(lambda: serving.connections._idle)
            serving.connections.close_idle(seconds)
        return answer + await reader.read()

    assert statuses(converse(talk, serving)) == [200, 200]


def test_an_endless_head_is_a_431() -> None:
    line = b"X-Endless: " + b"x" * 1000 + b"\r\n"

    assert statuses(converse(sends(b"GET / HTTP/1.1\r\nHost: x\r\n", line * 200))) == [431]


def test_an_endless_line_is_a_414() -> None:
    assert statuses(converse(sends(b"GET /" + b"x" * 10_000))) == [414]


def test_endless_trailers_are_a_431() -> None:
    request = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"

    assert statuses(converse(sends(request, b"X-Note: x\r\n" * 2000))) == [431]


def test_a_request_that_is_refused_by_its_head_is_not_read() -> None:
    serving = worker()
    body = b"x" * 300_000

    async def talk(reader: Reader, writer: Writer) -> bytes:
        writer.write(b"POST /refused HTTP/1.1\r\nHost: x\r\nContent-Length: 4194304\r\n\r\n")
        answer = await reader.readuntil(b"refused")
        for _ in range(10):
            writer.write(body)
            await writer.drain()
        assert serving.connections._held_bytes < 1000
        return answer

    answer = converse(talk, serving)

    assert statuses(answer) == [404]
    assert b"Connection: close" in answer
    assert serving.site.answered == 0


def test_all_unanswered_requests_together_have_a_bound() -> None:
    serving = worker()
    part = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 400000\r\n\r\n" + b"x" * 300_000

    async def talk(reader: Reader, writer: Writer) -> bytes:
        writer.write(part)
        answers = []
        for _ in range(4):
            more_reader, more = await serving.connect()
            more.write(part)
            answers.append(asyncio.create_task(more_reader.read()))
        done, _ = await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED)
        # One address has half of the bytes, so the second does not fit.
        refused: bytes = next(iter(done)).result()
        return refused

    answer = converse(talk, serving)

    assert statuses(answer) == [503]
    assert b"Retry-After: 1" in answer


def test_of_too_many_connections_the_longest_idle_is_closed() -> None:
    serving = worker(limit=3)

    async def talk(reader: Reader, writer: Writer) -> bytes:
        others = [await serving.connect() for _ in range(3)]
        first = await reader.read()
        for other_reader, other in others:
            other.write(WHOLE)
            assert (await other_reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200 ")
        return first

    assert converse(talk, serving) == b""


def test_of_one_address_too_many_connections_close_its_own() -> None:
    serving = worker(per_address=2)

    async def talk(reader: Reader, writer: Writer) -> bytes:
        for _ in range(2):
            await serving.connect()
        return await reader.read()

    assert converse(talk, serving) == b""


def test_where_all_connections_are_busy_health_is_answered_still() -> None:
    serving = worker(limit=1)

    async def talk(reader: Reader, writer: Writer) -> bytes:
        writer.write(WHOLE[:-1])
        await asyncio.sleep(0.02)  # it is no idle one now
        answers = b""
        for path in (b"/health/live", b"/api"):
            spare_reader, spare = await serving.connect()
            spare.write(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n")
            answers += await spare_reader.read()
        return answers

    before = counted("connections")

    assert statuses(converse(talk, serving)) == [204, 503]
    assert counted("connections") == before + 1


def test_too_many_requests_for_the_threads_are_a_503() -> None:
    serving = worker()

    async def talk(reader: Reader, writer: Writer) -> bytes:
        threads = serving.asgi._threads[Executor.REQUEST_THREADS]
        holding = [asyncio.create_task(threads.run(_wait_for, serving)) for _ in range(3)]
        await until(lambda: threads._waiting == 2)
        writer.write(WHOLE.replace(b"/ ", b"/slow "))
        answer = await reader.readuntil(b"waiting.")
        serving.alive = False
        await asyncio.gather(*holding)
        return answer

    before = counted("queue")

    assert statuses(converse(talk, serving)) == [503]
    assert counted("queue") == before + 1


def _wait_for(serving: Any) -> None:
    while serving.alive:
        pass
