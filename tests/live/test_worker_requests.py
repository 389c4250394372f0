"""Unusual HTTP for a worker: what it answers, what it ignores, and what it refuses."""

import asyncio

import pytest

from tests.live.gunicorn_worker import WHOLE, Reader, Writer, converse, sends, statuses


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
