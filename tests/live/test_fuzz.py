"""Bytes that were thought up, on real sockets: the server hears in them what a strict parser hears.

h11 parses the same bytes. What it refuses, the server refuses, or it closes the connection. Of what
it accepts the server answers every request, in order, and nothing else.

The server is stricter on purpose, and then says so and closes the connection, in these places:
lines that end with LF alone, and a CR within a line; headers that go on in the next line; control
characters in a header; versions other than 1.0 and 1.1; targets that do not fit the method; a line
of more than 8190 bytes and more than 100 headers or trailers; Host, Content-Length or Content-Type
twice; Content-Length beside Transfer-Encoding; chunks in HTTP/1.0; spaces and other liberties in
the sizes of chunks, and trailers that would change the head (strictness.py). CONNECT, and any
option of a connection that has "close" in it, end the connection after the answer.

It is less strict where nothing can be mistaken for something else (reference.py): several spaces in
a row within the request line, zeros before the size of a chunk, trailers, which it ignores, and
requests without a Host, which are answered 400 without closing the connection.
"""

import json
import os
from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import count
from math import inf

import httpx
import pytest
from hypothesis import HealthCheck, Phase, example, given, note, settings

from tests.live.grammar import MESSAGES, PLACE, TOKEN, End, Talk, talks
from tests.live.reference import NO_HOST, Heard, Hearing, hear
from tests.live.strictness import reason
from tests.live.wire import Answer, Wire

pytestmark = pytest.mark.costly

#: So many talks, the same in each run; FUZZ_TALKS asks for others, and more of them.
TALKS = 250
_ASKED_FOR = os.environ.get("FUZZ_TALKS")
#: A server that says nothing for so long has lost a request.
SILENT_S = 20

fuzz = settings(
    max_examples=int(_ASKED_FOR or TALKS),
    derandomize=_ASKED_FOR is None,
    database=None,
    deadline=None,
    print_blob=True,
    report_multiple_bugs=False,
    phases=[Phase.explicit, Phase.generate, *([Phase.shrink] if _ASKED_FOR else [])],
    suppress_health_check=list(HealthCheck),
)


class Stage:
    """An application with two chats, and all that is said about the first of them."""

    def __init__(self, http: httpx.Client, url: str) -> None:
        self.http, self.url = http, url
        self.token = self._new("/applications", name="fuzz")["token"]
        self.chats = f"/applications/{self.token}/chats"
        for name in ("first", "second"):
            self._new(self.chats, name=name)
        self._new(f"{self.chats}/2/messages", body="to be edited")
        self._words = (b"w%08d" % number for number in count())
        #: By number, of those answered 201.
        self.created: dict[int, str] = {}
        #: The texts of all requests that a strict parser has heard.
        self.heard: Counter[str] = Counter()

    def placed(self, data: bytes) -> bytes:
        """The bytes with this application's token, and with a word that was never used."""
        return data.replace(TOKEN, self.token.encode()).replace(PLACE, next(self._words))

    def check_what_is_stored(self) -> None:
        """All that was answered 201 is there, once, and nothing that nobody has sent."""
        stored = dict(self._stored())
        for number, text in self.created.items():
            assert stored[number] == text
        texts = Counter(stored.values())
        assert texts <= self.heard, texts - self.heard
        assert sorted(stored) == list(range(1, len(stored) + 1))

    def _new(self, path: str, **fields: str) -> dict[str, str]:
        answer = self.http.post(path, json=fields)
        assert answer.status_code == 201, answer.text
        made: dict[str, str] = answer.json()
        return made

    def _stored(self) -> Iterator[tuple[int, str]]:
        url: str | None = f"{self.chats}/1/messages?limit=200"
        while url:
            page = self.http.get(url).json()
            for message in page["results"]:
                yield message["message_number"], message["body"]
            url = page["next"]


GET = b"GET %s?limit=1 HTTP/1.1\r\nHost: localhost\r\n" % MESSAGES
#: The first Connection header and the last say otherwise than one between.
TOLD_TO_CLOSE = GET + b"Connection: close, x\r\nConnection: keep-alive\r\n\r\n" + GET + b"\r\n"

#: The target names a host, which does for HTTP/1.0 alone.
NO_HOST_BUT_A_TARGET = b"GET http://localhost/health/live HTTP/1.1\r\n\r\n"
#: A page, which another handler refuses.
PAGE_OF_NO_HOST = b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n"
TWO_CODINGS = GET + b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"


def test_the_server_hears_what_a_strict_parser_hears(http: httpx.Client, base_url: str) -> None:
    stage = Stage(http, base_url)

    @fuzz
    @given(talks())
    @example(Talk(TOLD_TO_CLOSE, (), End.HALF_CLOSED))
    @example(Talk(TOLD_TO_CLOSE, (0.5,), End.AWAITED))
    @example(Talk(NO_HOST_BUT_A_TARGET + GET + b"\r\n", (), End.AWAITED))
    @example(Talk(PAGE_OF_NO_HOST + GET + b"\r\n", (), End.AWAITED))
    @example(Talk(TWO_CODINGS + GET + b"\r\n", (), End.AWAITED))
    def talk_to_it(talk: Talk) -> None:
        data = stage.placed(talk.bytes_)
        hearing = hear(data)
        stage.heard.update(filter(None, map(_text, hearing.requests)))
        note(f"sent: {data!r}")
        note(f"heard: {hearing}")
        judge(stage, hearing, answers_to(stage.url, talk, data, hearing))

    talk_to_it()

    stage.check_what_is_stored()
    assert stage.http.get(f"{base_url}/health/live").json() == {"status": "ok"}
    assert len(stage.created) > TALKS / 10


def answers_to(url: str, talk: Talk, data: bytes, hearing: Hearing) -> list[Answer] | None:
    """What the server says until it closes the connection; None where nobody listened."""
    answers: list[Answer] = []
    interim: list[int] = []
    with Wire(url, within=SILENT_S) as wire:

        def read(until: float) -> bool:
            while len(answers) < until:
                is_to_head = partial(_is_to_head, hearing, len(answers))
                answer = wire.answer(is_to_head=is_to_head, interim=interim)
                if answer is None:
                    return False
                answers.append(answer)
                if answer.is_last:
                    # A HEAD without an id of its own: nobody knows what a refusal belongs to.
                    rest = wire.rest()
                    assert rest == b"" or is_to_head("")
                    return False
            return True

        wire.send(*talk.segments(data))
        if talk.end is End.ABORTED:
            wire.abort()
            return None
        if talk.end is End.HALF_CLOSED or read(len(hearing.requests)):
            wire.end()
            read(inf)
    note(f"answers: {answers}, interim {interim}")
    asked = sum(
        b"100-continue" in [value.lower() for value in heard.values(b"expect")]
        for heard in (*hearing.requests, *filter(None, [hearing.begun]))
    )
    assert interim == [100] * len(interim)
    assert len(interim) <= asked
    return answers


def judge(stage: Stage, hearing: Hearing, answers: list[Answer] | None) -> None:
    """Hold the answers against what a strict parser hears."""
    if answers is None:
        return
    assert all(answer.status not in (500, 502, 504) for answer in answers)
    for index, heard in enumerate(hearing.requests):
        answer = answers[index] if index < len(answers) else None
        if answer is None or not _belongs(answer, heard):
            # Refused, or closed without a word. Nothing comes after it.
            assert answer is None or _refuses(answer)
            assert reason(heard), "refused without a reason"
            assert len(answers) == index + (answer is not None)
            return
        assert NO_HOST not in heard.mended or answer.status == 400
        _note_creation(stage, heard, answer)
        if answer.is_last:
            assert len(answers) == index + 1
            # A refusal by the head alone may end it too, while the body was still coming.
            is_expected = heard.is_last or index + 1 == len(hearing.requests)
            assert is_expected or answer.status >= 400 or reason(heard)
            return
    more = answers[len(hearing.requests) :]
    assert len(more) <= 1
    for answer in more:
        assert hearing.rest, "an answer to nothing"
        assert answer.status >= 400
        assert answer.is_last


def _is_to_head(hearing: Hearing, index: int, request_id: str) -> bool:
    heard = [*hearing.requests, *filter(None, [hearing.begun])]
    if index < len(heard):
        return heard[index].method == "HEAD" and heard[index].request_id in (None, request_id)
    # What h11 refuses by its head may be answered under its own id.
    return hearing.rest.lstrip(b"\r\n").startswith(b"HEAD ") and request_id.encode() in hearing.rest


def _belongs(answer: Answer, heard: Heard) -> bool:
    return heard.request_id is None or answer.request_id == heard.request_id


def _refuses(answer: Answer) -> bool:
    return answer.status >= 400 and answer.is_last


def _text(heard: Heard) -> str | None:
    try:
        text = json.loads(heard.body)["body"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return text if isinstance(text, str) else None


def _note_creation(stage: Stage, heard: Heard, answer: Answer) -> None:
    if answer.status != 201:
        return
    made = json.loads(answer.body)
    assert made["body"] == _text(heard)
    assert made["message_number"] not in stage.created
    stage.created[made["message_number"]] = made["body"]
