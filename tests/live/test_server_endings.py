"""A server shuts down while clients keep sending requests, or before it has started."""

import http.client
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bench.product import new_chat
from tests.live.servers import ROOT, EmbeddedServer

pytestmark = pytest.mark.costly

CLIENTS = 32
LIMIT_SECONDS = 30


def test_whatever_was_sent_before_the_end_is_answered(tmp_path: Path, migrated: Path) -> None:
    with (
        EmbeddedServer(tmp_path, migrated, WEB_CONCURRENCY="2") as server,
        ThreadPoolExecutor(CLIENTS) as clients,
    ):
        path = new_chat(server.url).messages_path
        sending = [clients.submit(create_until_closed, server.url, path) for _ in range(CLIENTS)]
        time.sleep(1)
        os.kill(server.process.pid, signal.SIGTERM)
        were_answered = [each for client in sending for each in client.result()]

    assert len(were_answered) > CLIENTS
    assert all(were_answered)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_process_that_still_loads_ends_too(
    tmp_path: Path, migrated: Path, number: signal.Signals
) -> None:
    server = EmbeddedServer(tmp_path, migrated)
    command = [sys.executable, *server.COMMAND]
    with subprocess.Popen(
        command, cwd=ROOT, env=server.environment, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr
        assert any("Booting worker" in line for line in process.stderr)
        process.send_signal(number)
        process.communicate(timeout=LIMIT_SECONDS)


def create_until_closed(base_url: str, path: str) -> Sequence[bool]:
    """Whether each create got a whole answer below 500, until no connection is accepted."""
    outcomes: list[bool] = []
    connection = http.client.HTTPConnection(urlsplit(base_url).netloc, timeout=LIMIT_SECONDS)
    while True:
        try:
            if connection.sock and select.select([connection.sock], [], [], 0)[0]:
                connection.close()  # the server has closed it between two requests
            if not connection.sock:
                connection.connect()
        except OSError:
            return outcomes
        try:
            connection.request("POST", path, b'{"body": "x"}', {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            outcomes.append(answer.status < http.client.INTERNAL_SERVER_ERROR)
        except (OSError, http.client.HTTPException):
            connection.close()
            outcomes.append(False)
