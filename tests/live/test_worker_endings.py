"""A worker whose clients end, vanish or send garbage, and whose application fails."""

import pytest

from api.asgi import RawResponse
from tests.garbage import garbage
from tests.live.gunicorn_worker import (
    FATAL,
    WHOLE,
    Reader,
    Writer,
    converse,
    sends,
    statuses,
    until,
    worker,
)


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
