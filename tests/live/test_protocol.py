"""Clients that are slow or endless: each is given up in time, and told so where possible."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeAlias

import pytest
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from chatsystem import protocol
from chatsystem.event_loop import Server
from chatsystem.protocol import MAX_HEAD_BYTES, Protocol
from core.deadlines import Deadlines
from tests.garbage import garbage

SECONDS = 0.2
FATAL = b"no"
WHOLE = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok"

Reader: TypeAlias = asyncio.StreamReader
Writer: TypeAlias = asyncio.StreamWriter
Talk = Callable[[Reader, Writer], Awaitable[bytes]]


class Site:
    """Answers what it was sent and by which method; where that is nothing, by 204."""

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        content = environ["wsgi.input"].read()
        if content == FATAL:
            raise ValueError(content)
        headers = [("method", environ["REQUEST_METHOD"])]
        if content:
            headers.append(("content-length", str(len(content))))
        start_response("200 OK" if content else "204 No Content", headers)
        return [content]

    def may_be_suspended(self, environ: Any) -> bool:
        return True


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "_deadlines", Deadlines(SECONDS))


def converse(talk: Talk) -> bytes:
    """What the server has said when the talk is over."""

    async def run() -> bytes:
        config = Config(Server(Site(), 1), http=Protocol, lifespan="off", log_config=None)
        config.load()
        state = ServerState()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Protocol(config, state, {}), "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        reader, writer = await asyncio.open_connection(host, port)
        try:
            async with asyncio.timeout(20):
                return await talk(reader, writer)
        finally:
            writer.close()
            server.close()
            for task in list(state.tasks):
                await task

    return asyncio.run(run())


def sends(*parts: bytes) -> Talk:
    """Sends these, and then nothing, until the server hangs up."""

    async def talk(reader: Reader, writer: Writer) -> bytes:
        for part in parts:
            writer.write(part)
            await writer.drain()
        return await reader.read()

    return talk


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
def test_what_does_not_come_as_a_whole_in_time_is_a_408(begun: bytes) -> None:
    answer = converse(sends(begun) if begun else sends())

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert answer.endswith(b"content-length: 0\r\n\r\n")


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

    assert converse(talk).startswith(b"HTTP/1.1 408 ")


def test_a_client_that_trickles_is_given_up_too() -> None:
    async def talk(reader: Reader, writer: Writer) -> bytes:
        answer = asyncio.create_task(reader.read())
        for byte in WHOLE:
            if answer.done():
                break
            writer.write(bytes([byte]))
            await asyncio.sleep(SECONDS / 10)
        return await answer

    assert converse(talk).startswith(b"HTTP/1.1 408 ")


def test_an_endless_head_is_a_431() -> None:
    line = b"X-Endless: " + b"x" * 1000 + b"\r\n"

    answer = converse(
        sends(b"GET / HTTP/1.1\r\nHost: x\r\n", line * (1 + MAX_HEAD_BYTES // len(line)))
    )

    assert answer.startswith(b"HTTP/1.1 431 ")


def test_what_is_no_http_is_a_bare_400() -> None:
    answer = converse(sends(b"\x16\x03\x01 hello\r\n\r\n"))

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("method", ["BREW", "get", "M-SEARCH", "CONNECT", "POSTS", "PO", "X" * 40])
@pytest.mark.parametrize("at", [0, 1, 2, 4])
def test_a_method_is_for_the_application_to_judge(method: str, at: int) -> None:
    request = WHOLE.replace(b"POST", method.encode())

    async def talk(reader: Reader, writer: Writer) -> bytes:
        answer = b""
        for whole in (request, b"\r\n" + request, WHOLE):
            writer.write(whole[:at])
            await asyncio.sleep(0.01)  # or they would come as one
            writer.write(whole[at:])
            answer += await reader.readuntil(b"ok")
        return answer

    answers = converse(talk)

    assert answers.count(b"HTTP/1.1 200 ") == 3
    assert answers.count(b"method: %s\r\n" % method.encode()) == 2
    assert answers.count(b"method: POST\r\n") == 1


def test_http_2_is_not_spoken() -> None:
    answer = converse(sends(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))

    assert answer.startswith(b"HTTP/1.1 400 ")


def test_what_follows_of_a_request_that_came_with_another_is_no_method() -> None:
    head, _, rest = WHOLE.partition(b"\r\n")

    async def talk(reader: Reader, writer: Writer) -> bytes:
        writer.write(WHOLE + head + b"\r\nX-Note: ")
        answers = await reader.readuntil(b"ok")
        writer.write(b"one two\r\n" + rest)
        return answers + await reader.readuntil(b"ok")

    assert converse(talk).count(b"method: POST\r\n") == 2


def test_a_method_that_is_too_long_is_no_http() -> None:
    answer = converse(sends(b"X" * 41, b" / HTTP/1.1\r\nHost: x\r\n\r\n"))

    assert answer.startswith(b"HTTP/1.1 400 ")


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


def test_who_asks_before_sending_a_body_is_told_to_go_on() -> None:
    head, _, body = WHOLE.partition(b"\r\n\r\n")

    async def talk(reader: Reader, writer: Writer) -> bytes:
        writer.write(head + b"\r\nExpect: 100-continue\r\n\r\n")
        told = await reader.readuntil(b"\r\n\r\n")
        writer.write(body)
        return told + await reader.readuntil(b"ok")

    answers = converse(talk)

    assert answers.startswith(b"HTTP/1.1 100 ")
    assert b"HTTP/1.1 200 " in answers


def test_requests_that_come_together_are_answered_in_order() -> None:
    other = WHOLE.replace(b"ok", b"2.")

    async def talk(reader: Reader, writer: Writer) -> bytes:
        writer.write(WHOLE + other + WHOLE)
        answers = [await reader.readuntil(content) for content in (b"ok", b"2.", b"ok")]
        return b"".join(answers)

    assert converse(talk).count(b"HTTP/1.1 200 ") == 3


def test_a_client_that_closes_after_its_request_is_told_so() -> None:
    request = WHOLE.replace(b"Host: x", b"Host: x\r\nConnection: close")

    answer = converse(sends(request))

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"\r\nconnection: close\r\n" in answer
    assert answer.endswith(b"\r\n\r\nok")


def test_an_application_that_fails_is_a_500() -> None:
    answer = converse(sends(WHOLE.replace(b"ok", FATAL)))

    assert answer.startswith(b"HTTP/1.1 500 ")


def test_nothing_of_a_request_is_left_to_the_garbage_collector() -> None:
    async def talk(reader: Reader, writer: Writer) -> bytes:
        answers = b""
        for _ in range(10):
            writer.write(WHOLE)
            answers += await reader.readuntil(b"ok")
        return answers

    with garbage(RequestResponseCycle) as left:
        converse(talk)
    # The last one ends with its connection, which refers to itself.
    assert len(left) <= 1
