"""Clients that close their connection just after the response, or before it."""

from pathlib import Path

import pytest

from tests.live.servers import EmbeddedServer, eventually, open_connections
from tests.live.wire import Wire

pytestmark = pytest.mark.costly

UNKNOWN = b"/api/v1/applications/%s/chats" % (b"0" * 24)
ASK = b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % UNKNOWN
#: It is by chance whether an end arrives in the moment that matters.
TRIES = 300


def test_a_client_that_ends_right_after_its_answer_is_let_go(embedded: EmbeddedServer) -> None:
    for _ in range(TRIES):
        with Wire(embedded.url, within=20) as wire:
            wire.send(ASK)
            answer = wire.answer()
            wire.end()

            assert answer is not None
            assert answer.status == 404
            assert wire.answer() is None


def test_what_waits_behind_a_request_whose_client_is_gone_is_dropped_without_an_error(
    migrated: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with EmbeddedServer(tmp_path, migrated) as server:
        for _ in range(TRIES // 5):
            wire = Wire(server.url)
            wire.send(ASK * 20)
            wire.abort()
        eventually(lambda: open_connections(server) <= 1, 20, "all connections are closed")

    assert " ERROR " not in capfd.readouterr().err
