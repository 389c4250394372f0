"""This project's gunicorn worker: slow, greedy or vanished clients, and unusual HTTP.

The tests run the worker's own connection class on their own loop. After an upgrade of gunicorn
they show whether its private API still works as used here.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any, TypeAlias

import pytest
from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.config import Config
from gunicorn.glogging import Logger

from api.asgi import Application, Executor, RawResponse, RequestPlan
from api.connections import EDGE_REFUSED, Connections
from api.gunicorn_connection import Connection
from api.problems import bare_problem
from infra.event_loop import TimeoutQueue
from tests.garbage import garbage

SECONDS = 0.3
LIMIT_BYTES = 1024 * 1024
FATAL, SLOW = b"no", b"slowly"
HEAD = b"Host: x\r\n"
WHOLE = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok"

Reader: TypeAlias = asyncio.StreamReader
Writer: TypeAlias = asyncio.StreamWriter
Talk = Callable[[Reader, Writer], Awaitable[bytes]]


class Site:
    """Returns the body, the method and the headers of each request; refuses /refused."""

    def __init__(self) -> None:
        self.answered = 0

    def plan(self, environ: Any) -> RequestPlan:
        is_slow = "slow" in environ["PATH_INFO"]
        return RequestPlan(Executor.REQUEST_THREADS if is_slow else Executor.EVENT_LOOP, 400_000)

    def early_response(self, environ: Any) -> RawResponse | None:
        if environ["PATH_INFO"] == "/refused":
            return self.error_response(environ, HTTPStatus.NOT_FOUND, "refused")
        return None

    def response(self, environ: Any) -> RawResponse:
        self.answered += 1
        content = environ["wsgi.input"].read()
        if content == FATAL:
            raise ValueError(content)
        seen = ",".join(sorted(name for name in environ if name.startswith("HTTP_")))
        headers = [(b"method", environ["REQUEST_METHOD"].encode()), (b"seen", seen.encode())]
        if content:
            headers.append((b"content-length", str(len(content)).encode()))
        return RawResponse(200 if content else 204, headers, content)

    def error_response(self, environ: Any, status: HTTPStatus, detail: str) -> RawResponse:
        body = detail.encode()
        return RawResponse(status, [(b"content-length", str(len(body)).encode())], body)


def worker(limit: int = 100, per_address: int = 100, seconds: float = 30) -> Any:
    """Build the part of a worker that a connection uses."""
    config = Config()
    for name, value in (("http_parser", "fast"), ("permit_unconventional_http_method", True)):
        config.set(name, value)
    config.set("keepalive", 5)
    ASGIProtocol._check_h1c_protocol_available()
    site = Site()
    return SimpleNamespace(
        cfg=config,
        log=Logger(config),
        asgi=Application(site, threads=1, queue=2),
        site=site,
        state={},
        alive=True,
        nr=0,
        max_requests=1_000_000,
        nr_conns=0,
        bare_problem=bare_problem,
        connections=Connections(limit, per_address, LIMIT_BYTES),
        arrivals=TimeoutQueue(seconds),
        lingers=TimeoutQueue(seconds),
    )


def converse(talk: Talk, served_by: Any = None) -> bytes:
    """Return all that the server has sent when the talk is over."""
    serving = served_by or worker()

    async def run() -> bytes:
        loop = serving.loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Connection(serving), "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        writers = []

        async def connect() -> tuple[Reader, Writer]:
            reader, writer = await asyncio.open_connection(*address, limit=1024 * 1024)
            writers.append(writer)
            return reader, writer

        serving.connect = connect
        try:
            async with asyncio.timeout(20):
                return await talk(*await connect())
        finally:
            for writer in writers:
                writer.close()
            server.close()
            await asyncio.gather(*(w.wait_closed() for w in writers), return_exceptions=True)
            await until(lambda: not serving.nr_conns)
            rest = asyncio.all_tasks() - {asyncio.current_task()}
            for task in rest:
                task.cancel()
            await asyncio.gather(*rest, return_exceptions=True)

    return asyncio.run(run())


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run until the condition holds."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - nothing here tells when it does
            await asyncio.sleep(0)


def sends(*parts: bytes, ends: bool = False) -> Talk:
    """Send these parts, and then nothing until the server closes the connection."""

    async def talk(reader: Reader, writer: Writer) -> bytes:
        for part in parts:
            writer.write(part)
            await writer.drain()
        if ends:
            writer.write_eof()
        return await reader.read()

    return talk


def counted(bound: str) -> float:
    """Return how many requests were refused at this bound so far."""
    return sum(
        sample.value
        for metric in EDGE_REFUSED.collect()
        for sample in metric.samples
        if sample.name.endswith("_total") and sample.labels["bound"] == bound
    )


def statuses(answers: bytes) -> list[int]:
    """Return the statuses of the responses in these bytes."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answers)]


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
    async def talk(reader: Reader, writer: Writer) -> bytes:
        for _ in range(4):
            writer.write(WHOLE[:-1])
            await asyncio.sleep(SECONDS / 2)
            writer.write(WHOLE[-1:])
            answer = await reader.readuntil(b"ok")
            assert answer.startswith(b"HTTP/1.1 200 ")
            await asyncio.sleep(SECONDS / 2)
        writer.write(WHOLE[:10])
        return await reader.read()

    assert statuses(converse(talk, worker(seconds=SECONDS))) == [408]


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


def test_trailers_are_dropped() -> None:
    answer = converse(
        sends(
            b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"2\r\nok\r\n0\r\nX-Forwarded-Proto: https\r\nIdempotency-Key: k\r\nCookie: a=b\r\n\r\n"
        )
    )

    assert statuses(answer) == [200]
    assert b"seen: HTTP_CONNECTION,HTTP_HOST,HTTP_TRANSFER_ENCODING\r\n" in answer


def test_trailers_that_would_change_the_request_are_refused() -> None:
    request = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"

    for name in (b"Authorization", b"Host", b"Content-Length", b"Transfer-Encoding"):
        assert statuses(converse(sends(request + name + b": x\r\n\r\n"))) == [400]


def test_endless_trailers_are_a_431() -> None:
    request = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"

    assert statuses(converse(sends(request, b"X-Note: x\r\n" * 2000))) == [431]


@pytest.mark.parametrize(
    "offer",
    [
        b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAA\r\n",
        b"Upgrade: websocket\r\nSec-WebSocket-Key: %b==\r\nSec-WebSocket-Version: 13\r\n"
        % (b"A" * 22),
        b"Upgrade: foo\r\n",
    ],
)
@pytest.mark.parametrize("method", [b"POST", b"GET"])
def test_an_offer_to_upgrade_is_ignored_and_its_body_is_no_request(
    offer: bytes, method: bytes
) -> None:
    hidden = b"GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"
    head = b"%b / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\n" % method
    head += offer + b"Content-Length: %d\r\n\r\n" % len(hidden)

    async def talk(reader: Reader, writer: Writer) -> bytes:
        writer.write(head)
        await asyncio.sleep(0.02)  # or head and body would come as one
        writer.write(hidden)
        answer = await reader.readuntil(hidden)
        writer.write(WHOLE)
        return answer + await reader.readuntil(b"ok")

    assert statuses(converse(talk)) == [200, 200]


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


def test_a_client_that_ends_its_side_gets_the_answers_to_what_was_whole() -> None:
    answers = converse(sends(WHOLE + WHOLE + WHOLE[:-1], ends=True))

    assert statuses(answers) == [200, 200]


def test_a_client_that_ends_its_side_while_it_is_served_gets_the_answer() -> None:
    serving = worker()
    slow = WHOLE.replace(b"/ ", b"/slow ")

    async def talk(reader: Reader, writer: Writer) -> bytes:
        writer.write(slow)
        await until(lambda: serving.site.answered)
        writer.write_eof()
        return await reader.read()

    assert statuses(converse(talk, serving)) == [200]


def test_a_request_that_breaks_off_is_not_answered_by_the_site() -> None:
    serving = worker()

    assert converse(sends(WHOLE[:-1], ends=True), serving) == b""
    assert serving.site.answered == 0


def test_http_2_is_not_spoken() -> None:
    assert statuses(converse(sends(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))) == [400]


@pytest.mark.parametrize("method", ["BREW", "M-SEARCH", "POSTS", "PO", "X" * 40])
def test_a_method_is_for_the_application_to_judge(method: str) -> None:
    request = WHOLE.replace(b"POST", method.encode())

    async def talk(reader: Reader, writer: Writer) -> bytes:
        writer.write(request)
        return await reader.readuntil(b"ok")

    assert b"method: %b\r\n" % method.encode() in converse(talk)


def test_an_answer_without_a_body_is_all_there() -> None:
    async def talk(reader: Reader, writer: Writer) -> bytes:
        answers = b""
        for request in (
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            WHOLE.replace(b"POST", b"HEAD"),
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        ):
            writer.write(request)
            answers += await reader.readuntil(b"\r\n\r\n")
        return answers

    first, second, third = converse(talk).split(b"\r\n\r\n")[:3]

    assert first.startswith(b"HTTP/1.1 204 ")
    assert second.startswith(b"HTTP/1.1 200 ")
    assert b"content-length: 2" in second
    assert third.startswith(b"HTTP/1.1 204 ")


def test_a_client_that_asks_before_it_sends_a_body_is_answered() -> None:
    head, _, body = WHOLE.partition(b"\r\n\r\n")
    refused = head.replace(b"/ ", b"/refused ")

    async def talk(reader: Reader, writer: Writer) -> bytes:
        writer.write(head + b"\r\nExpect: 100-continue\r\n\r\n")
        answers = await reader.readuntil(b"\r\n\r\n")
        writer.write(body)
        answers += await reader.readuntil(b"ok")
        writer.write(refused + b"\r\nExpect: 100-continue\r\n\r\n")
        return answers + await reader.readuntil(b"refused")

    assert statuses(converse(talk)) == [100, 200, 404]


def test_requests_that_come_together_are_answered_in_order() -> None:
    many = [WHOLE.replace(b"ok", b"%02d" % number) for number in range(100)]

    async def talk(reader: Reader, writer: Writer) -> bytes:
        writer.write(b"".join(many))
        return b"".join([await reader.readuntil(b"\r\n\r\n%02d" % n) for n in range(100)])

    assert statuses(converse(talk)) == [200] * 100


def test_more_than_one_read_of_requests_waits_until_they_are_answered() -> None:
    large = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n" + b"x" * 199_998

    async def talk(reader: Reader, writer: Writer) -> bytes:
        answers = b""
        sending = asyncio.create_task(_write(writer, (large + b"ok") * 5))
        for _ in range(5):
            answers += await reader.readuntil(b"xok")
        await sending
        return answers

    answers = converse(talk)

    assert statuses(answers) == [200] * 5
    assert answers.count(b"x") == 5 * 199_998


async def _write(writer: Writer, content: bytes) -> None:
    writer.write(content)
    await writer.drain()


def test_garbage_behind_a_request_is_refused_after_its_answer() -> None:
    answers = converse(sends(WHOLE + b"\0\1garbage\r\n\r\n"))

    assert statuses(answers) == [200, 400]


def test_a_client_that_closes_after_its_request_is_answered_and_closed() -> None:
    answer = converse(sends(WHOLE.replace(b"Host: x", b"Host: x\r\nConnection: close")))

    assert statuses(answer) == [200]
    assert b"\r\nConnection: close\r\n" in answer
    assert answer.endswith(b"\r\n\r\nok")


def test_an_application_that_fails_is_a_500() -> None:
    answer = converse(sends(WHOLE.replace(b"ok", FATAL)))

    assert statuses(answer) == [500]
    assert b"application/problem+json" in answer


def test_a_reset_in_the_middle_is_not_an_error(caplog: pytest.LogCaptureFixture) -> None:
    serving = worker()

    async def talk(reader: Reader, writer: Writer) -> bytes:
        writer.write(WHOLE * 100)
        await reader.readuntil(b"ok")
        writer.transport.abort()
        await until(lambda: not serving.nr_conns)
        return b""

    converse(talk, serving)

    assert not [record for record in caplog.records if record.levelname != "DEBUG"]


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"", 400),
        (b"Host: x\r\nTransfer-Encoding: gzip, chunked\r\n", 501),
        (b"Host: x\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n", 415),
        (b"Host: x\r\nHost: x\r\n", 400),
        (b"Host: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n", 400),
        (b"Host: x\r\nX: a\r\n b\r\n", 400),
        (b"Host: x\r\nX : a\r\n", 400),
    ],
)
def test_a_head_that_http_forbids_is_refused(head: bytes, status: int) -> None:
    answer = converse(
        sends(b"POST / HTTP/1.1\r\n%b\r\n" % head, b"2\r\nok\r\n0\r\n\r\n", ends=True)
    )

    assert statuses(answer)[0] == status


def test_a_name_with_an_underscore_does_not_stand_for_another_header() -> None:
    async def talk(reader: Reader, writer: Writer) -> bytes:
        writer.write(WHOLE.replace(b"Host: x", b"Host: x\r\nX_Forwarded_Proto: https"))
        return await reader.readuntil(b"ok")

    assert b"seen: HTTP_HOST\r\n" in converse(talk)


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


def test_nothing_of_a_request_is_left_to_the_garbage_collector() -> None:
    async def talk(reader: Reader, writer: Writer) -> bytes:
        answers = b""
        for _ in range(10):
            writer.write(WHOLE)
            answers += await reader.readuntil(b"ok")
        return answers

    with garbage(RawResponse, dict) as left:
        converse(talk)
    requests = [each for each in left if isinstance(each, RawResponse) or "REQUEST_METHOD" in each]  # type: ignore[operator]
    # The last one ends with its connection, which refers to itself.
    assert len(requests) <= 1
